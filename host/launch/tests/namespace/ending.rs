//! No process of a step survives it, however it ends.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use zoea_launch::StepStatus;
use zoea_model::OutputStream;
use zoea_rootfs::Identity;

use crate::Cases;
use crate::bench::{Bench, process, root, script};
use crate::way::{ALL, SEVERAL_IDS};

pub(crate) const CASES: Cases = &[
    ("signal_is_told", ALL, signal_is_told),
    ("background_processes_end", ALL, background_processes_end),
    ("held_pipes_do_not_hang", ALL, held_pipes_do_not_hang),
    ("killed_builder_leaves_no_process", ALL, killed_builder_leaves_no_process),
    ("killed_builder_leaves_no_set_id_process", SEVERAL_IDS, killed_builder_leaves_no_set_id_process),
    ("killed_guard_is_reported", ALL, killed_guard_is_reported),
    ("panicking_output_leaves_no_process", ALL, panicking_output_leaves_no_process),
];

/// Finds the machine's processes that have `argument` among their arguments.
fn processes_with(argument: &str) -> Vec<Pid> {
    let matching = |entry: fs::DirEntry| {
        let number: i32 = entry.file_name().to_str()?.parse().ok()?;
        let arguments = fs::read(entry.path().join("cmdline")).ok()?;
        let found = arguments.split(|byte| *byte == 0).any(|other| other == argument.as_bytes());
        found.then(|| Pid::from_raw(number)).flatten()
    };
    fs::read_dir("/proc").unwrap().filter_map(|entry| matching(entry.unwrap())).collect()
}

/// Waits until there are `count` of them, at most ten seconds.
fn wait_for(argument: &str, count: usize) -> Vec<Pid> {
    let start = Instant::now();
    loop {
        let found = processes_with(argument);
        if found.len() == count {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{found:?} instead of {count} with {argument}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An argument of `sleep` that nothing else on the machine has: about ten minutes.
fn unique(bench: &Bench, number: u32) -> String {
    format!("6{number}{}.{}", bench.way as u32, std::process::id())
}

fn signal_is_told(bench: &Bench) {
    // The first process of a namespace is killed from outside only.
    let argument = unique(bench, 1);
    let step = process("sleep", &[&argument]);
    let status = std::thread::scope(|scope| {
        let run = scope.spawn(|| bench.run(&step).status);
        let found = wait_for(&argument, 1);
        rustix::process::kill_process(found[0], Signal::KILL).unwrap();
        run.join().unwrap()
    });
    assert_eq!(status, StepStatus::Signalled(9));
}

fn background_processes_end(bench: &Bench) {
    let argument = unique(bench, 2);
    let text =
        format!("nohup sleep {argument} >/dev/null 2>&1 & setsid sleep {argument} & sleep 0.2; echo end");
    let ran = bench.run(&script(&text));
    assert_eq!(ran.stdout, "end\n");
    assert_eq!(processes_with(&argument), []);
}

fn held_pipes_do_not_hang(bench: &Bench) {
    let argument = unique(bench, 3);
    let start = Instant::now();
    let ran = bench.run(&script(&format!("sleep {argument} & echo end; exit 4")));
    assert_eq!((ran.status, ran.stdout.as_str()), (StepStatus::Exited(4), "end\n"));
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(processes_with(&argument), []);
}

/// Starts a copy of this process without its threads, runs a step in it and kills it.
fn kill_builder(bench: &Bench, argument: &str, step: &zoea_model::Process, identity: &Identity) {
    let builder = zoea_sys::fork(|| {
        let result = bench.try_run(step, identity);
        eprintln!("the step ended: {result:?}");
        0
    })
    .unwrap();
    wait_for(argument, 1);
    rustix::process::kill_process(builder, Signal::KILL).unwrap();
    rustix::process::waitpid(Some(builder), rustix::process::WaitOptions::empty()).unwrap();
    wait_for(argument, 0);
}

fn killed_builder_leaves_no_process(bench: &Bench) {
    let argument = unique(bench, 4);
    kill_builder(bench, &argument, &process("sleep", &[&argument]), &root());
    let text = format!("trap '' TERM HUP INT; setsid sleep {argument} & wait");
    kill_builder(bench, &argument, &script(&text), &root());
}

fn killed_builder_leaves_no_set_id_process(bench: &Bench) {
    // Changing ids and executing a set-user-id program both make the kernel forget a parent-death signal.
    bench.shell("cp /bin/busybox /bin/busybox-set && chmod 4755 /bin/busybox-set");
    let argument = unique(bench, 5);
    let user = Identity { uid: 33, gid: 33, groups: vec![], home: "/".into() };
    kill_builder(bench, &argument, &process("/bin/busybox-set", &["sleep", &argument]), &user);
}

fn killed_guard_is_reported(bench: &Bench) {
    let argument = unique(bench, 6);
    let step = process("sleep", &[&argument]);
    let error = std::thread::scope(|scope| {
        let run = scope.spawn(|| bench.try_run(&step, &root()).unwrap_err());
        wait_for(&argument, 1);
        let guard = *processes_with("zoea-step")
            .iter()
            .find(|guard| parent_of(**guard) == Some(rustix::process::getpid()))
            .unwrap();
        rustix::process::kill_process(guard, Signal::KILL).unwrap();
        run.join().unwrap()
    });
    assert_eq!(error.to_string(), "Failed to learn how a step ended: its guard was killed");
    wait_for(&argument, 0);
}

/// Returns the parent of a process.
fn parent_of(process: Pid) -> Option<Pid> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    Pid::from_raw(line.trim().parse().ok()?)
}

fn panicking_output_leaves_no_process(bench: &Bench) {
    let argument = unique(bench, 7);
    let step = script(&format!("echo hi; exec sleep {argument}"));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut stop = |_: OutputStream, _: &[u8]| panic!("stop");
        bench.launcher.run_at(&bench.tree, &step, &root(), &mut stop)
    }));
    assert!(result.is_err());
    wait_for(&argument, 0);
}
