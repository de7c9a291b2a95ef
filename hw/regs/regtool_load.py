"""Reads the contract and refuses what is inconsistent; every complaint names register and field."""
import re
import tomllib
from dataclasses import dataclass, field

ACCESS = ("rw", "ro", "wo", "rw1c", "rw1s", "rw0c", "sc", "rc", "rc_hook")
UNREADABLE = ("wo", "sc")  # such bits are never 1 in storage
ALL_BITS = 0xFFFFFFFF

REGISTER_KEYS = {"bar", "offset", "array", "aliases", "group", "reset", "software_reset",
                 "reserved", "access", "desc", "source", "confidence", "fields"}
FIELD_KEYS = {"bits", "name", "access", "values", "desc"}
DESCRIPTOR_KEYS = {"words", "section", "desc", "like", "rename", "fields"}
DESCRIPTOR_FIELD_KEYS = {"word", "bits", "name", "values", "overlay", "desc"}


class ContractError(Exception):
    pass


@dataclass
class FieldRow:
    name: str
    lsb: int
    width: int
    access: str
    desc: str
    values: dict
    word: int = 0
    overlay: bool = False

    @property
    def mask(self):
        return ((1 << self.width) - 1) << self.lsb

    @property
    def bits(self):
        return str(self.lsb) if self.width == 1 else f"{self.lsb + self.width - 1}:{self.lsb}"


@dataclass
class RegisterRow:
    name: str
    bar: int
    offset: int
    count: int
    stride: int
    aliases: list  # (offset, count)
    group: str
    reset: int
    reset_is_open: bool
    keep: bool
    reserved_stored: bool
    access: str
    desc: str
    source: str
    confidence: str
    fields: list
    masks: dict = field(default_factory=dict)  # access -> bits
    index: int = 0
    slot: int = 0


@dataclass
class DescriptorRow:
    name: str
    words: int
    section: str
    desc: str
    fields: list


@dataclass
class Contract:
    device: str
    bars: dict  # number -> size in bytes
    registers: list
    descriptors: list

    def of_bar(self, bar):
        return [r for r in self.registers if r.bar == bar]


def load(path):
    try:
        with open(path, "rb") as f:
            raw = tomllib.load(f)
    except tomllib.TOMLDecodeError as error:
        raise ContractError(error) from error
    check_keys("the contract", raw, {"device", "register", "descriptor"})
    device = raw.get("device", {})
    check_keys("device", device, {"name", "bars"})
    bars = {int(number): size for number, size in device["bars"].items()}
    registers = [read_register(name, row, bars) for name, row in raw.get("register", {}).items()]
    registers.sort(key=lambda r: (r.bar, r.offset))
    number(registers)
    for bar, size in bars.items():
        check_offsets([r for r in registers if r.bar == bar], size)
    check_identifiers(registers)
    descriptors = {}
    for name, row in raw.get("descriptor", {}).items():
        descriptors[name] = read_descriptor(name, row, descriptors)
    return Contract(device["name"], bars, registers, list(descriptors.values()))


# --- registers ------------------------------------------------------------------------------------

def read_register(name, row, bars):
    require(re.fullmatch(r"[A-Z][A-Z0-9_]*", name), name, "a name is upper case, digits and _")
    check_keys(name, row, REGISTER_KEYS)
    bar = integer(name, row, "bar", default=0)
    require(bar in bars, name, f"there is no BAR {bar}")
    array = row.get("array", {"count": 1, "stride": 4})
    check_keys(f"{name}: array", array, {"count", "stride"})
    count = integer(f"{name}: array", array, "count")
    stride = integer(f"{name}: array", array, "stride")
    require(count >= 1 and stride >= 4 and stride % 4 == 0, name,
            f"array of {count} words {stride:#x} bytes apart is not possible")
    offset = aligned(name, "offset", integer(name, row, "offset"))
    access = row.get("access")
    require(access in ACCESS, name, f"access is {access!r}, not one of {', '.join(ACCESS)}")
    require(row.get("software_reset", "keep") == "keep", name, "software_reset is not \"keep\"")
    require(row.get("reserved", "stored") == "stored", name, "reserved is not \"stored\"")
    fields = read_fields(name, row.get("fields", []), access)
    reset_is_open = row.get("reset") == "undefined"
    register = RegisterRow(
        name=name, bar=bar, offset=offset, count=count, stride=stride,
        aliases=read_aliases(name, row.get("aliases", []), count),
        group=text(name, row, "group"),
        reset=0 if reset_is_open else integer(name, row, "reset"),
        reset_is_open=reset_is_open,
        keep=reset_is_open or "software_reset" in row,
        reserved_stored="reserved" in row,
        access=access, desc=text(name, row, "desc"), source=text(name, row, "source"),
        confidence=text(name, row, "confidence"), fields=fields)
    register.masks = access_masks(register)
    check_reset(register)
    return register


def read_fields(name, rows, default_access):
    fields, used, names = [], 0, set()
    for row in rows:
        where = f"{name}.{row.get('name', '?')}"
        check_keys(where, row, FIELD_KEYS)
        require(re.fullmatch(r"[A-Z][A-Z0-9_]*", row.get("name", "")), where,
                "a name is upper case, digits and _")
        require(row["name"] not in names, where, "the name is taken")
        names.add(row["name"])
        lsb, width = bit_range(where, row, 32)
        access = row.get("access", default_access)
        require(access in ACCESS, where, f"access is {access!r}, not one of {', '.join(ACCESS)}")
        entry = FieldRow(row["name"], lsb, width, access, text(where, row, "desc"),
                         values_of(where, row, width))
        require(not entry.mask & used, where, f"bits {row['bits']} overlap another field")
        used |= entry.mask
        fields.append(entry)
    return sorted(fields, key=lambda f: f.lsb)


def read_aliases(name, rows, count):
    aliases = []
    for row in rows:
        if isinstance(row, int):
            row = {"offset": row, "count": 1}
        check_keys(f"{name}: alias", row, {"offset", "count"})
        offset = aligned(name, "alias", integer(f"{name}: alias", row, "offset"))
        words = integer(f"{name}: alias", row, "count")
        require(1 <= words <= count, name, f"alias {offset:#07x} reaches {words} words of {count}")
        aliases.append((offset, words))
    return aliases


def access_masks(register):
    masks = dict.fromkeys(ACCESS, 0)
    for f in register.fields:
        masks[f.access] |= f.mask
    if not register.fields:
        masks[register.access] = ALL_BITS
    if register.reserved_stored:
        masks["rw"] |= ALL_BITS & ~sum(masks.values())
    return masks


def check_reset(register):
    require(0 <= register.reset <= ALL_BITS, register.name, "reset is wider than 32 bits")
    stray = register.reset & ~sum(register.masks.values())
    require(not stray, register.name, f"reset sets the reserved bits {stray:#010x}")
    for f in register.fields:
        if f.access in UNREADABLE:
            require(not register.reset & f.mask, f"{register.name}.{f.name}",
                    f"reset sets a bit of access {f.access}, which never reads 1")
    if not register.fields and register.access in UNREADABLE:
        require(register.reset == 0, register.name, f"access {register.access} never reads 1")


def number(registers):
    slots = {}
    for index, register in enumerate(registers):
        register.index = index
        register.slot = slots.get(register.bar, 0)
        slots[register.bar] = register.slot + register.count
    for bar, words in slots.items():
        require(words < 0xFFFF, f"BAR {bar}", f"{words} words do not fit the register file's table")


def check_offsets(registers, size):
    owner = {}
    for register in registers:
        ranges = [(register.offset, register.count)] + register.aliases
        for offset, count in ranges:
            for i in range(count):
                word = offset + i * register.stride
                require(word + 4 <= size, register.name,
                        f"word {i} at {word:#07x} lies beyond the BAR ({size:#x} bytes)")
                require(word not in owner, register.name,
                        f"word {i} at {word:#07x} is taken by {owner.get(word)}")
                owner[word] = register.name


def check_identifiers(registers):
    taken = {}
    for register in registers:
        for name in identifiers(register):
            require(name not in taken, register.name,
                    f"the identifier {name} is taken by {taken.get(name)}")
            taken[name] = register.name


def identifiers(register):
    yield register.name
    for f in register.fields:
        yield f"{register.name}_{f.name}"
        for value in f.values:
            yield f"{register.name}_{f.name}_{value}"


# --- descriptors ----------------------------------------------------------------------------------

def read_descriptor(name, row, others):
    require(re.fullmatch(r"[a-z][a-z0-9_]*", name), name, "a format's name is lower case")
    check_keys(name, row, DESCRIPTOR_KEYS)
    words = integer(name, row, "words")
    require(words in (2, 4), name, "a descriptor has 2 or 4 words")
    fields = []
    if "like" in row:
        require(row["like"] in others, name, f"like: there is no format {row['like']!r} above")
        rename = row.get("rename", {})
        for f in others[row["like"]].fields:
            fields.append(FieldRow(rename.get(f.name, f.name), f.lsb, f.width, "", f.desc, f.values,
                                   f.word, f.overlay))
        for old in rename:
            require(old in {f.name for f in others[row["like"]].fields}, name,
                    f"rename: there is no field {old}")
    for entry in row.get("fields", []):
        where = f"{name}.{entry.get('name', '?')}"
        check_keys(where, entry, DESCRIPTOR_FIELD_KEYS)
        require(re.fullmatch(r"[A-Z][A-Z0-9_]*", entry.get("name", "")), where,
                "a name is upper case, digits and _")
        lsb, width = bit_range(where, entry, 64)
        word = integer(where, entry, "word")
        require(0 <= word < words, where, f"word {word} of {words}")
        fields.append(FieldRow(entry["name"], lsb, width, "", text(where, entry, "desc"),
                               values_of(where, entry, width), word, entry.get("overlay", False)))
    check_descriptor(name, fields)
    fields.sort(key=lambda f: (f.word, f.lsb, f.overlay))
    return DescriptorRow(name, words, text(name, row, "section"), text(name, row, "desc"), fields)


def check_descriptor(name, fields):
    names, used = set(), {}
    for f in fields:
        require(f.name not in names, f"{name}.{f.name}", "the name is taken")
        names.add(f.name)
        if not f.overlay:  # an overlay is a second reading of the same bits
            require(not used.get(f.word, 0) & f.mask, f"{name}.{f.name}",
                    f"bits {f.bits} of word {f.word} overlap another field")
            used[f.word] = used.get(f.word, 0) | f.mask


# --- values ---------------------------------------------------------------------------------------

def require(condition, where, why):
    if not condition:
        raise ContractError(f"{where}: {why}")


def check_keys(where, row, known):
    require(isinstance(row, dict), where, "must be a table")
    unknown = set(row) - known
    require(not unknown, where, f"unknown key {', '.join(sorted(unknown))}")


def integer(where, row, key, default=None):
    value = row.get(key, default)
    require(isinstance(value, int) and not isinstance(value, bool), where,
            f"{key} must be an integer, not {value!r}")
    require(value >= 0, where, f"{key} is negative")
    return value


def text(where, row, key):
    value = row.get(key)
    require(isinstance(value, str) and value.strip(), where, f"{key} is missing")
    require(not re.search(r'["\\\n|]|\*/', value), where,
            f"{key} holds a character that C or Markdown would misread")
    return value


def aligned(name, what, value):
    require(value % 4 == 0, name, f"{what} {value:#x} is not dword aligned")
    return value


def bit_range(where, row, limit):
    match = re.fullmatch(r"(\d+)(?::(\d+))?", str(row.get("bits", "")))
    require(match, where, f"bits {row.get('bits')!r} are neither \"msb:lsb\" nor \"bit\"")
    msb = int(match[1])
    lsb = int(match[2]) if match[2] else msb
    require(lsb <= msb < limit, where, f"bits {row['bits']} are not within {limit - 1}:0")
    return lsb, msb - lsb + 1


def values_of(where, row, width):
    values = row.get("values", {})
    for name, value in values.items():
        require(re.fullmatch(r"[A-Z0-9_]+", name), where, f"value {name}: not upper case")
        require(isinstance(value, int) and 0 <= value < 1 << width, where,
                f"value {name} = {value} does not fit {width} bits")
    require(len(set(values.values())) == len(values), where, "two names for one value")
    return dict(sorted(values.items(), key=lambda item: item[1]))
