"""Notes every question beside this file and answers it by its digest."""

import hashlib
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]
from worker import OneByOne, serve


def load(message):
    noted = Path(__file__).with_name("asked.txt")

    def answer(question):
        with noted.open("a") as notes:
            notes.write("asked\n")
        digit = int(hashlib.sha256(question["prompt"].encode()).hexdigest(), 16)
        if "Describe" in question["prompt"]:
            return "The person speaks slowly."
        return ("a1", "a2", "same", "I prefer a2.", "Hm.")[digit % 5]

    return OneByOne({"engine": "kept", "version": "1"}, answer)


serve(load)
