//! What comes out of a step.

use std::time::{Duration, Instant};

use zoea_launch::StepStatus;
use zoea_model::OutputStream;

use crate::Cases;
use crate::bench::{Bench, root, script};
use crate::way::ALL;

pub(crate) const CASES: Cases = &[
    ("streams_are_apart", ALL, streams_are_apart),
    ("output_is_live", ALL, output_is_live),
    ("big_output_is_whole", ALL, big_output_is_whole),
    ("closed_output_is_no_end", ALL, closed_output_is_no_end),
];

fn streams_are_apart(bench: &Bench) {
    let ran = bench.run(&script("echo out; echo error >&2; echo more; exit 3"));
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\nmore\n", "error\n"));
    assert_eq!(ran.status, StepStatus::Exited(3));
    let ran = bench.run(&script("cat; echo end"));
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("end\n", ""), "standard input is empty");
}

fn output_is_live(bench: &Bench) {
    let mut first = None;
    let step = script("echo a; sleep 1; echo b");
    let mut note = |_: OutputStream, _: &[u8]| {
        first.get_or_insert_with(Instant::now);
    };
    bench.launcher.run_at(&bench.tree, &step, &root(), &mut note).unwrap();
    let behind = first.unwrap().elapsed();
    assert!(behind > Duration::from_millis(900), "the first line came {behind:?} before the end");
}

fn big_output_is_whole(bench: &Bench) {
    let mut counts = (0, 0);
    let step = script("yes | head -c 20000000 & yes | head -c 10000000 >&2; wait");
    let mut count = |stream: OutputStream, bytes: &[u8]| match stream {
        OutputStream::Stdout => counts.0 += bytes.len(),
        OutputStream::Stderr => counts.1 += bytes.len(),
    };
    bench.launcher.run_at(&bench.tree, &step, &root(), &mut count).unwrap();
    assert_eq!(counts, (20_000_000, 10_000_000));
}

fn closed_output_is_no_end(bench: &Bench) {
    let ran = bench.run(&script("exec >&- 2>&-; sleep 0.2; exit 9"));
    assert_eq!(ran.status, StepStatus::Exited(9));
}
