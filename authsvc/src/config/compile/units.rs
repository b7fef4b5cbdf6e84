//! Durations (`30s`, `5m`, `1h`, `90d`), sizes (`4MiB`), and yes or no.

use std::time::Duration;

const DAY: u64 = 24 * 60 * 60;

/// `30s`, `5m`, `1h`, `90d`; also `500ms`.
///
/// # Errors
/// What a duration is.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let millis_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => DAY * 1_000,
        _ => 0,
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(millis_per_unit)) {
        Some(millis) if millis_per_unit > 0 => Ok(Duration::from_millis(millis)),
        _ => Err("a duration is a whole number and a unit: 500ms, 30s, 5m, 1h, 90d".to_owned()),
    }
}

/// The shortest text that [`duration`] reads back.
pub(super) fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match () {
        () if duration.subsec_millis() > 0 => format!("{}ms", duration.as_millis()),
        () if seconds == 0 => "0s".to_owned(),
        () if seconds.is_multiple_of(DAY) => format!("{}d", seconds / DAY),
        () if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        () if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        () => format!("{seconds}s"),
    }
}

/// Bytes: `65536`, `64KiB`, `4MiB`, `1GiB`.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let (number, unit) = split(text);
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        "GiB" => 1024 * 1024 * 1024,
        _ => 0,
    };
    match number.parse::<usize>().ok().and_then(|number| number.checked_mul(factor)) {
        Some(bytes) if factor > 0 => Ok(bytes),
        _ => Err("a size is a whole number of bytes, KiB, MiB or GiB: 65536, 64KiB, 4MiB, 1GiB"
            .to_owned()),
    }
}

/// The shortest text that [`size`] reads back.
pub(super) fn show_size(bytes: usize) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let fits = units.into_iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    fits.map_or_else(|| bytes.to_string(), |(unit, name)| format!("{}{name}", bytes / unit))
}

/// `true` or `false`.
pub(super) fn flag(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_not_a_bool| "must be true or false".to_owned())
}

fn split(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(digits).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{duration, show, show_size, size};

    #[test]
    fn durations_have_a_unit() {
        for (text, seconds) in
            [("0s", 0), ("30s", 30), ("5m", 300), ("1h", 3600), ("90d", 7_776_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
            assert_eq!(show(Duration::from_secs(seconds)), text);
        }
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1500)));
        for text in [
            "",
            "5",
            "m",
            "-5m",
            "1.5h",
            "5 m",
            "5M",
            "99999999999999999999s",
            "999999999999999999d",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_bytes_or_binary_multiples() {
        assert_eq!(size("4MiB"), Ok(4 * 1024 * 1024));
        assert_eq!(size("1GiB"), Ok(1024 * 1024 * 1024));
        assert_eq!(size("64KiB"), Ok(65536));
        assert_eq!(size("65536"), Ok(65536));
        for text in ["", "MiB", "4MB", "4 MiB", "-1", "0.5MiB", "99999999999999MiB"] {
            assert!(size(text).is_err(), "{text}");
        }
        for text in ["1000", "64KiB", "1025KiB", "3MiB", "1024GiB"] {
            assert_eq!(size(text).map(show_size), Ok(text.to_owned()));
        }
    }
}
