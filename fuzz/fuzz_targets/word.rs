//! libFuzzer's entry to [`zoea_fuzz::word`].
#![no_main]
#![expect(clippy::disallowed_methods, reason = "libFuzzer's macro writes a file where it is asked to")]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zoea_fuzz::word(bytes));
