"""What the processors do: clock, isolation, frequency, sleep, shared cores."""

from __future__ import annotations

from touchline.control.doctor.check import Check, Found, Mend, check
from touchline.control.doctor.machine import CLOCKSOURCE, CPU, Machine, cpu_list, cpu_text

STEADY = ("constant_tsc", "nonstop_tsc")
WAKE_US_MAX = 2  # an idle state that wakes up later than this is too deep
NOTHING_LEFT = "a single core: everything shares it, and nothing can be kept apart"


def braces(numbers: tuple[int, ...] | list[int]) -> str:
    """The numbers for the shell: `3`, or `{2,3}`, which it multiplies the word by."""
    words = [str(number) for number in numbers]
    return words[0] if len(words) == 1 else "{" + ",".join(words) + "}"


def write_to(text: object, name: str) -> Mend:
    """Write a word into a file of the kernel."""
    return Mend("shell", f"echo {text} | sudo tee {name}")


@check("clock", "tsc")
def clocksource(machine: Machine) -> Found:
    now = machine.read(f"{CLOCKSOURCE}/current_clocksource")
    available = machine.read(f"{CLOCKSOURCE}/available_clocksource").split()
    if now == "tsc":
        return Found(now, True, "the clock is read in user space, in some 20 ns")
    if not machine.cpu_flags():
        return Found(now, None, "this processor is not an x86 and has no tsc", wanted="its own")
    mends = [Mend("boot", "clocksource=tsc tsc=reliable")]
    if "tsc" in available:
        mends.insert(0, write_to("tsc", f"{CLOCKSOURCE}/current_clocksource"))
    why = "each command is stamped; another clock costs up to a microsecond, some a system call"
    if "tsc" not in available:
        why += "; the kernel found the tsc unsteady and took it off the list: see dmesg"
    return Found(now, False, why, tuple(mends))


@check("clock", "constant and nonstop")
def steady_tsc(machine: Machine) -> Found:
    flags = machine.cpu_flags()
    if not flags:
        return Found("no such flags", None, "this processor is not an x86")
    has = [flag for flag in STEADY if flag in flags]
    why = "the tsc counts at one rate, whatever frequency and sleep do"
    if len(has) == len(STEADY):
        return Found(" ".join(has), True, why)
    value = " ".join(has) or "neither"
    if machine.virtual():
        return Found(value, None, f"{why}; the hypervisor must pass the flags on (invtsc)")
    return Found(value, False, f"{why}; this processor can not")


@check("processor", "the venue's CPUs, at least one")
def isolated_cores(machine: Machine) -> Found:
    isolated = machine.isolated()
    value = cpu_text(isolated) or "none"
    if machine.chosen:
        wanted = cpu_text(machine.chosen)
        ok = set(machine.chosen) <= set(isolated)
    else:
        wanted, ok = "at least one", bool(isolated)
    why = "the scheduler puts nothing on an isolated CPU; name it in engine.cpu"
    if machine.virtual():
        why += "; in a virtual machine the host must also pin the virtual CPUs, or it takes them"
    if ok:
        return Found(value, True, why, wanted=wanted)
    cpus = machine.venue_cpus()
    if not cpus:
        return Found(value, None, NOTHING_LEFT, wanted=wanted)
    others = cpu_text(machine.other_cpus())
    mends = [Mend("boot", f"isolcpus=managed_irq,domain,{cpu_text(cpus)}")]
    if others:
        mends.append(Mend("boot", f"irqaffinity={others}"))
    return Found(value, False, why, tuple(mends), wanted)


@check("processor", "the venue's CPUs")
def nohz_full(machine: Machine) -> Found:
    cpus = machine.venue_cpus()
    if not cpus:
        return Found("none", None, NOTHING_LEFT)
    text = machine.find(f"{CPU}/nohz_full")
    found = cpu_list(text or "")
    ok = set(cpus) <= set(found)
    value = cpu_text(found) or "none"
    why = "a CPU with one runnable thread is not interrupted by the timer's tick, 100 to 1000 a s"
    if text is None:
        value = "not in this kernel"
        why += "; this kernel was built without CONFIG_NO_HZ_FULL and needs to be another"
    listed = cpu_text(cpus)
    mend = () if text is None else (Mend("boot", f"nohz_full={listed} rcu_nocbs={listed}"),)
    return Found(value, ok, why, mend, wanted=listed)


@check("processor", "performance")
def governor(machine: Machine) -> Found:
    cpus = machine.venue_cpus() or machine.online()
    here = {cpu: machine.find(f"{CPU}/cpu{cpu}/cpufreq/scaling_governor") for cpu in cpus}
    kinds = sorted({kind for kind in here.values() if kind})
    if not kinds:
        hypervisor = machine.virtual()
        who = "the host sets the frequency" if hypervisor else "no driver sets the frequency"
        return Found("none", None, f"{who}: there is nothing to choose here")
    wrong = [cpu for cpu, kind in here.items() if kind not in (None, "performance")]
    why = "a CPU that saves power first runs slowly, and changing the frequency stops it"
    if not wrong:
        return Found(", ".join(kinds), True, why)
    mend = write_to("performance", f"{CPU}/cpu{braces(wrong)}/cpufreq/scaling_governor")
    return Found(", ".join(kinds), False, why, (mend,))


def deep_states(machine: Machine, cpu: int) -> dict[int, tuple[str, int]]:
    """Idle states of one CPU that are on and wake up too late: number, then name and µs."""
    deep = {}
    for state in machine.names(f"{CPU}/cpu{cpu}/cpuidle"):
        folder = f"{CPU}/cpu{cpu}/cpuidle/{state}"
        latency_us = machine.find(f"{folder}/latency")
        if latency_us is None or machine.find(f"{folder}/disable") == "1":
            continue
        if int(latency_us) > WAKE_US_MAX:
            number = int(state.removeprefix("state"))
            deep[number] = (machine.read(f"{folder}/name"), int(latency_us))
    return deep


@check("processor", f"none that wakes up later than {WAKE_US_MAX} µs")
def c_states(machine: Machine) -> Found:
    why = "a CPU that sleeps deeply answers late, and its caches are cold"
    if machine.cmdline().get("idle") == "poll":
        return Found("idle=poll", True, why)
    driver = machine.find(f"{CPU}/cpuidle/current_driver") or "no driver"
    if machine.virtual():
        why = (
            "an idle CPU goes back to the host, which decides how deeply it sleeps: let the engine"
        )
        return Found(driver, None, f'{why} spin (engine.wait = "spin"), or boot with idle=poll')
    cpus = machine.venue_cpus() or machine.online()
    if not any("state0" in machine.names(f"{CPU}/cpu{cpu}/cpuidle") for cpu in cpus):
        return Found(driver, None, "no driver tells which states there are")
    deep = {cpu: states for cpu in cpus if (states := deep_states(machine, cpu))}
    if not deep:
        return Found("none", True, why)
    slowest = max((state for states in deep.values() for state in states.values()),
                  key=lambda state: state[1])  # fmt: skip
    numbers = sorted({number for states in deep.values() for number in states})
    folder = f"{CPU}/cpu{braces(sorted(deep))}/cpuidle/state{braces(numbers)}"
    boot = "processor.max_cstate=1"
    if driver == "intel_idle":
        boot += " intel_idle.max_cstate=1"
    mend = (write_to(1, f"{folder}/disable"), Mend("boot", boot))
    return Found(f"down to {slowest[0]}, {slowest[1]} µs", False, why, mend)


@check("processor", "each of the venue's CPUs alone on its core")
def smt(machine: Machine) -> Found:
    cpus = machine.venue_cpus() or machine.online()
    shared = {cpu: group for cpu in cpus if len(group := machine.siblings(cpu)) > 1}
    why = "two threads of a core share its first-level caches and execution units"
    if shared:
        groups = sorted({cpu_text(group) for group in shared.values()})
        mends = (write_to("off", f"{CPU}/smt/control"), Mend("boot", "nosmt"))
        return Found(f"CPUs {' and '.join(groups)} share a core", False, why, mends)
    if machine.virtual():
        why += "; whether the host puts somebody else on the other thread can not be seen from here"
        return Found("no siblings shown", None, why)
    return Found("off, or none", True, why)


CHECKS = (clocksource, steady_tsc, isolated_cores, nohz_full, governor, c_states, smt)


def checks(machine: Machine) -> list[Check]:
    """All of them."""
    return [run(machine) for run in CHECKS]
