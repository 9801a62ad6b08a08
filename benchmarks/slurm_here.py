"""A real SLURM of one machine, and a map and a study through the executor on it.

As root in a container with Debian's packages: `apt-get install slurm-wlm munge`, then `python -m benchmarks.slurm_here`. It
starts munged, slurmctld and slurmd with a configuration of its own, and ends them. Checked: what items give; that a job which
kills its process costs that item alone; that a job which outlives its time is queued again; that a killed driver finds its
jobs again; that a study's tables are those of the same study on processes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common import save
from segue.executors import Needs, executor
from segue.executors.machine import cores

CONFIGURATION = """
ClusterName=here
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
ReturnToService=2
MpiDefault=none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort=26817
SlurmdPort=26818
NodeName={host} CPUs={cores} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[None]:
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    configuration = folder / "slurm.conf"
    host = socket.gethostname().partition(".")[0]
    configuration.write_text(CONFIGURATION.format(host=host, folder=folder, cores=cores()), encoding="utf-8")
    os.environ["SLURM_CONF"] = str(configuration)
    Path("/run/munge").mkdir(exist_ok=True)
    shutil.chown("/run/munge", "munge", "munge")
    subprocess.run(["runuser", "-u", "munge", "--", "munged", "--force"], check=True)
    daemons = [
        subprocess.Popen(one, stderr=subprocess.DEVNULL) for one in (["slurmctld", "-D", "-i"], ["slurmd", "-D"])
    ]
    try:
        for _ in range(60):
            state = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True, check=False).stdout
            if "idle" in state:
                break
            time.sleep(0.5)
        else:
            sys.exit(f"no machine became idle: {state!r}; see {folder}/*.log")
        yield
    finally:
        for one in reversed(daemons):
            one.send_signal(signal.SIGTERM)
            one.wait()
        subprocess.run(["runuser", "-u", "munge", "--", "munged", "--stop"], check=False, capture_output=True)


def square(item: int) -> int:
    if item == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return item * item


def told(_: int) -> dict[str, str]:
    return {
        name: os.environ.get(name, "") for name in ("SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS", "SLURM_JOB_PARTITION")
    }


def outlives(log: Path) -> int:
    with log.open("a") as file:
        file.write("begun\n")
    begun = len(log.read_text().splitlines())
    if begun == 1:
        time.sleep(600)
    return begun


def counts(log: Path) -> int:
    with log.open("a") as file:
        file.write("begun\n")
    while not log.with_name("go").exists():
        time.sleep(0.1)
    return len(log.read_text().splitlines())


def drive(folder: Path) -> list[int]:
    """As a driver that can be killed."""
    items = [folder / "a", folder / "b"]
    return [one.result() for one in executor("slurm", progress=False).map(counts, items, place=folder)]


def maps(folder: Path) -> dict[str, Any]:
    began = time.monotonic()
    found = {one.key: one for one in executor("slurm:each=3", progress=False).map(square, range(12), place=folder)}
    assert {key: one.value for key, one in found.items() if not one.error} == {
        str(number): number * number for number in range(12) if number != 5
    }
    assert found["5"].error, found["5"]
    seconds = time.monotonic() - began
    (one,) = executor("slurm:partition=all", progress=False).map(told, [1], needs=Needs(cores=2), place=folder)
    assert one.result() == {"SLURM_CPUS_PER_TASK": "2", "OMP_NUM_THREADS": "2", "SLURM_JOB_PARTITION": "all"}, one
    return {"seconds_of_12_items": round(seconds, 1), "lost": found["5"].error}


def cut_off(folder: Path) -> dict[str, Any]:
    began = time.monotonic()
    (one,) = executor("slurm:time=1,signal_delay_s=50", progress=False).map(outlives, [folder / "log"], place=folder)
    assert one.result() == 2, one
    return {"seconds_until_queued_again_and_done": round(time.monotonic() - began, 1)}


def killed_driver(folder: Path) -> None:
    code = f"from benchmarks.slurm_here import drive; from pathlib import Path; drive(Path({str(folder)!r}))"
    driver = subprocess.Popen([sys.executable, "-c", code])
    while not ((folder / "a").exists() and (folder / "b").exists()):
        time.sleep(0.1)
    driver.kill()
    driver.wait()
    (folder / "go").touch()
    assert drive(folder) == [1, 1]


def study(folder: Path) -> dict[str, Any]:
    """The same on processes and on SLURM."""
    from segue.data.phantoms import PHANTOMS
    from segue.data.scanning.scan import scan
    from segue.data.splitting.split import split
    from segue.studies.running import run

    os.chdir(folder)
    PHANTOMS["colon"].make(folder / "north", patients=10, sites=["north"], labelled=20)
    scan("north", "datasets/north", name="north", workers=0)
    split("datasets/north")
    Path("which.yaml").write_text(
        """
question: Which?
data: datasets/north
repeats: 2
axes: {training: {plain: {variation: none}, two views: {method: two-view}}}
fixed:
  network: {encoder: tu-mobilenetv3_small_050, depth: 3, decoder_channels: [16, 8, 8]}
  size: 64
  loop: {steps: 2, epoch_steps: 2, batch: 2}
  validation: none
  machine: {device: cpu, threads: 1, precision: 32-true, layout: channels-last}
""",
        encoding="utf-8",
    )
    seconds = {}
    tables = {}
    for on in ("local", "slurm"):
        began = time.monotonic()
        done = run("which.yaml", f"{on}/study-which", on=on)
        assert done.whole, done.failed
        seconds[on] = round(time.monotonic() - began, 1)
        tables[on] = {path.relative_to(on): path.read_bytes() for path in Path(on).glob("run-*/evaluation/*/cases.csv")}
    assert len(tables["slurm"]) == 4
    assert tables["slurm"] == tables["local"]
    return {"seconds_of_a_study_of_4_runs": seconds}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=["maps", "cut_off", "killed_driver", "study"])
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with slurm(folder / "slurm-itself"):
            version = subprocess.run(["sinfo", "-V"], capture_output=True, text=True, check=False).stdout.strip()
            result: dict[str, Any] = {"slurm": version}
            for part in (maps, killed_driver, study, cut_off):
                if only in (None, part.__name__):
                    (folder / part.__name__).mkdir()
                    result |= part(folder / part.__name__) or {}
                    print(part.__name__, "is as it should be", flush=True)
    if only is None:
        save("slurm_here", result)


if __name__ == "__main__":
    main()
