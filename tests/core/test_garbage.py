"""What a process began with is looked through no more; what comes later is."""

import subprocess
import sys

PROGRAM = """
import gc
from core import garbage

class Loop:
    def __init__(self):
        self.me = self

garbage.rest()
Loop()
resting = gc.isenabled()
garbage.resume()
old = sum(isinstance(one, Loop) for one in gc.get_objects())
Loop()
gc.collect()
new = sum(isinstance(one, Loop) for one in gc.get_objects())
print(resting, gc.isenabled(), old, gc.get_freeze_count() > 1000, new)
"""


def test_it_rests_while_a_process_starts_and_leaves_out_what_is_there_then():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "True", "0", "True", "0"]
