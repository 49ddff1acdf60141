//! `STOPSIGNAL`: which signals there are.

/// The signals of Linux by name, without `SIG`; real-time signals are named by their distance from either end.
const NAMES: [&str; 36] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE",
    "POLL", "PROF", "PWR", "QUIT", "RTMAX", "RTMIN", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP",
    "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
];

/// Says whether `text` names a signal: a number from 1 to 64, or a name with or without `SIG`, in any case.
pub(crate) fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<i64>() {
        return (1..=64).contains(&number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let distance = |prefix, most: u8| {
        let number = name.strip_prefix(prefix).and_then(|digits: &str| digits.parse::<u8>().ok());
        number.is_some_and(|number| (1..=most).contains(&number))
    };
    NAMES.contains(&name) || distance("RTMIN+", 15) || distance("RTMAX-", 14)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for text in ["SIGTERM", "term", "9", "64", "SIGRTMIN+3", "rtmax-14", "sigUSR1"] {
            assert!(is_signal(text), "{text}");
        }
        for text in
            ["", "0", "-1", "65", "SIG", "SIGFOO", "RTMIN+16", "RTMAX-0", "SIG9", "99999999999999999999"]
        {
            assert!(!is_signal(text), "{text}");
        }
    }
}
