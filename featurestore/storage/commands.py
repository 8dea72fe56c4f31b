"""Commands, packed in the Redis protocol: one by one, or many of one shape a column at a time."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from featurestore.aggregation.arrays import BytesArray, Ints

_NOTHING = pa.scalar(b"", pa.large_binary())
_KEY = pa.scalar(b"\r\n", pa.large_binary())
_VALUE = pa.scalar(b"\r\n$", pa.large_binary())


@dataclass
class Commands:
    r"""Packed commands on their way to the store.

    Attributes:
        buffers: The commands end to end; one buffer may hold many.
        count: How many there are.

    >>> commands = Commands()
    >>> commands.add(pack(b"GET", b"k"), pack(b"GET", b"l"))
    >>> commands.count
    2
    """

    buffers: list[bytes | memoryview] = field(default_factory=list)
    count: int = 0

    def add(self, *commands: bytes) -> None:
        """Add commands, each packed by itself."""
        self.buffers += commands
        self.count += len(commands)

    def add_all(self, commands: BytesArray) -> None:
        """Add an array of packed commands, as `pack_all` returns them; cost: none per command."""
        self.buffers.append(end_to_end(commands))
        self.count += len(commands)


def pack(*words: bytes) -> bytes:
    r"""Return a command in the Redis protocol.

    >>> pack(b"GET", b"k")
    b'*2\r\n$3\r\nGET\r\n$1\r\nk\r\n'
    """
    parts = [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"*%d\r\n" % len(words) + b"".join(parts)


def pack_all(name: bytes, keys: BytesArray, values: BytesArray, *last: bytes) -> BytesArray:
    r"""Return ``name key value last...`` for each key, in the Redis protocol.

    Args:
        name: The command.
        keys: An array of bytes.
        values: An array of bytes of the same length.
        last: Words that end every command.

    Returns:
        The packed commands, as an array of bytes.

    Cost: about 0.2 µs per command.

    >>> row, frame = pa.array([b"u1"], pa.large_binary()), pa.array([b"abc"], pa.large_binary())
    >>> pack_all(b"APPEND", row, frame).to_pylist()
    [b'*3\r\n$6\r\nAPPEND\r\n$2\r\nu1\r\n$3\r\nabc\r\n']
    """
    start = b"*%d\r\n$%d\r\n%b\r\n$" % (3 + len(last), len(name), name)
    end = b"\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in last)
    head, tail = pa.scalar(start, pa.large_binary()), pa.scalar(end, pa.large_binary())
    of_key, of_value = _lengths(keys), _lengths(values)
    return pc.binary_join_element_wise(
        head, of_key, _KEY, keys, _VALUE, of_value, _KEY, values, tail, _NOTHING
    )


def pack_keys(name: bytes, keys: BytesArray, most: int) -> list[bytes]:
    r"""Return ``name key key...`` for all keys, so many in a command at most.

    Cost: about 0.1 µs per key.

    >>> pack_keys(b"EXISTS", pa.array([b"u1", b"u2", b"u3"], pa.large_binary()), 2)[1]
    b'*2\r\n$6\r\nEXISTS\r\n$2\r\nu3\r\n'
    """
    size = pa.scalar(b"$", pa.large_binary())
    words = pc.binary_join_element_wise(size, _lengths(keys), _KEY, keys, _KEY, _NOTHING)
    batches = (words[at : at + most] for at in range(0, len(words), most))
    start = b"$%d\r\n%b\r\n" % (len(name), name)
    return [b"*%d\r\n" % (1 + len(of)) + start + end_to_end(of) for of in batches]


def decimals(numbers: Ints) -> BytesArray:
    """Return whole numbers as text, an array of bytes.

    >>> decimals(np.array([7, 10])).to_pylist()
    [b'7', b'10']
    """
    return pc.cast(pa.array(numbers, pa.int64()), pa.large_string()).view(pa.large_binary())


def end_to_end(array: BytesArray) -> memoryview:
    """Return the values of an array of bytes without a copy."""
    _, offsets, data = array.buffers()
    places = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    return memoryview(data)[places[0] : places[-1]] if data is not None else memoryview(b"")


def _lengths(array: BytesArray) -> BytesArray:
    return decimals(np.asarray(pc.binary_length(array)))
