//! Signals as engines know them by name.

use super::suggest;

const NAMES: [&str; 36] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
    "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1",
    "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
];
/// The number of the last signal of Linux.
const LAST: u8 = 64;

/// Whether a text names a signal: `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`.
pub(super) fn is_known(text: &str) -> bool {
    let shouted = text.to_ascii_uppercase();
    let name = shouted.strip_prefix("SIG").unwrap_or(&shouted);
    let step =
        |step: &str, most: u8| is_number(step) && step.parse::<u8>().is_ok_and(|step| (1..=most).contains(&step));
    match (name.strip_prefix("RTMIN+"), name.strip_prefix("RTMAX-")) {
        (Some(up), _) => step(up, 15),
        (_, Some(down)) => step(down, 14),
        _ if is_number(text) => text.parse::<u8>().is_ok_and(|number| (1..=LAST).contains(&number)),
        _ => NAMES.contains(&name),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The signal that was probably meant.
pub(super) fn nearest(text: &str) -> Option<String> {
    let shouted = text.to_ascii_uppercase();
    let name = shouted.strip_prefix("SIG").unwrap_or(&shouted);
    suggest::nearest(name, NAMES).map(|near| format!("SIG{near}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for text in ["SIGTERM", "TERM", "sigterm", "15", "1", "64", "SIGRTMIN", "SIGRTMIN+3", "RTMAX-14", "WINCH", "09"]
        {
            assert!(is_known(text), "{text}");
        }
        let unknown = [
            "SIGFOO",
            "",
            "0",
            "65",
            "-1",
            "+1",
            "15 ",
            "SIG",
            "SIGSIGTERM",
            "SIGRTMIN+16",
            "SIGRTMIN+0",
            "SIGRTMAX-15",
            "RTMIN+",
            "RTMIN++1",
            "1e1",
            "256",
        ];
        for text in unknown {
            assert!(!is_known(text), "{text}");
        }
        assert_eq!(nearest("SIGTREM").as_deref(), Some("SIGTERM"));
        assert_eq!(nearest("NOTHING"), None);
    }
}
