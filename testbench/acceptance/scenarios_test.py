"""Every scenario that ships passes, and tshark finds nothing wrong in what it captured.

Usage: scenarios_test.py SCENARIO   (one scenario a test, so that they run beside each other)
"""
import json
import sys
import unittest

from harness import Acceptance

# Where frames are damaged on purpose, a capture shows damaged frames.
DAMAGED_WIRE = {"lossy_wire"}
# Devices alone on a PCIe link.
NO_WIRE = {"nic_discipline", "pcie_dma", "pcie_iommu", "pcie_latency"}


class Scenario(Acceptance):
    name = ""

    def test_passes_with_a_capture_that_tshark_reads_clean(self):
        run = self.passes(self.name)
        results = run.result if isinstance(run.result, list) else [run.result]
        captures = sorted(run.folder.rglob("wire.pcapng"))
        self.assertEqual(len(captures), 0 if self.name in NO_WIRE else len(results), run.explain())
        for result in results:
            self.assertEqual(result["verdict"], "pass")
            self.assertTrue(result["expectations"], "a scenario without any proves nothing")
        for capture in captures:
            settings = json.loads((capture.parent / "result.json").read_text())["settings"]
            if settings.get("workload.loopback", "none") != "none":
                self.assertEqual(self.tshark(capture, "frame", "frame.number"), [],
                                 "what turns round is on no wire")
            elif self.name in DAMAGED_WIRE:
                bad = self.tshark(capture, "eth.fcs.status == Bad", "frame.number")
                self.assertTrue(bad, "the wire was to corrupt frames")
            else:
                self.assert_clean_capture(capture)


if __name__ == "__main__":
    Scenario.name = sys.argv.pop(1)
    unittest.main(verbosity=2)
