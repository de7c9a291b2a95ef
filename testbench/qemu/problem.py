"""What goes wrong on our side: one sentence on what, why, and what to do."""


class Problem(Exception):
    """A failure that is not the guest's: shown as it is, never with a stack trace."""


class Usage(Problem):
    """The command line asks for what cannot be."""


class Missing(Problem):
    """Something the machine does not offer (packages, root, a namespace): a test is skipped."""
