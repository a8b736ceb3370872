"""Calls interop.Echo at 127.0.0.1:PORT under PREFIX, and prints the answers.

A client of another stack than tonic, with stubs by hand, since those that are generated have no
room for a prefix.
"""

import queue
import sys

import grpc

PORT, PREFIX = sys.argv[1:]
PATIENCE = 60


def to_bytes(text):
    """A `Message` with `text`, its field number 1, of less than 128 bytes."""
    return bytes([0x0A, len(text)]) + text.encode()


def from_bytes(message):
    """The fields of a `Message`, each of less than 128 bytes."""
    fields = []
    while message:
        end = 2 + message[1]
        fields.append(message[2:end].decode())
        message = message[end:]
    return " ".join(fields)


def call(kind, method):
    return kind(f"{PREFIX}/interop.Echo/{method}", to_bytes, from_bytes)


with grpc.insecure_channel(f"127.0.0.1:{PORT}") as channel:
    unary = call(channel.unary_unary, "Unary")
    print(unary("one", timeout=PATIENCE))

    # Each message waits for the answer to the one before.
    says = queue.SimpleQueue()
    says.put("one")
    answers = call(channel.stream_stream, "Bidirectional")(iter(says.get, None), timeout=PATIENCE)
    for then in ["two", "three", None]:
        print(next(answers))
        says.put(then)
    print(*answers, answers.code())

    try:
        unary("fail", timeout=PATIENCE)
    except grpc.RpcError as error:
        print(error.code(), error.details())
