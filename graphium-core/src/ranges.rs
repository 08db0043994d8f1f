//! Ranges of IP addresses, as in `172.20.0.0/16`.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// An address with the length of its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    address: IpAddr,
    length: u32,
}

impl FromStr for Range {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, length) = text.split_once('/').ok_or(())?;
        let address: IpAddr = address.parse().map_err(drop)?;
        let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let length: u32 = length.parse().map_err(drop)?;
        if digits && length <= width(address) { Ok(Self { address, length }) } else { Err(()) }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl Range {
    /// The range by its first address, which is how engines want it written.
    pub(crate) fn by_its_first(self) -> Self {
        let host = width(self.address) - self.length;
        let first = bits(self.address).checked_shr(host).and_then(|bits| bits.checked_shl(host)).unwrap_or(0);
        let address = match self.address {
            IpAddr::V4(_) => Ipv4Addr::from(u32::try_from(first).unwrap_or(0)).into(),
            IpAddr::V6(_) => Ipv6Addr::from(first).into(),
        };
        Self { address, ..self }
    }

    /// Whether an address is one of it.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        let network = |of: IpAddr| bits(of).checked_shr(width(of) - self.length).unwrap_or(0);
        self.address.is_ipv4() == address.is_ipv4() && network(self.address) == network(address)
    }

    /// Whether all of another are addresses of it.
    pub(crate) fn covers(self, other: Self) -> bool {
        other.length >= self.length && self.contains(other.address)
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn range(text: &str) -> Range {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_know_what_is_within_them() {
        assert!(range("172.20.0.0/16").contains("172.20.255.1".parse().unwrap()));
        assert!(!range("172.20.0.0/16").contains("172.21.0.1".parse().unwrap()));
        assert!(!range("0.0.0.0/0").contains("::1".parse().unwrap()));
        assert!(range("::/0").contains("fe80::1".parse().unwrap()));
        assert!(range("172.20.0.0/16").covers(range("172.20.7.0/24")));
        assert!(!range("172.20.7.0/24").covers(range("172.20.0.0/16")));
        assert_eq!(range("172.20.5.1/16").by_its_first().to_string(), "172.20.0.0/16");
        assert_eq!(range("fd00::5/64").by_its_first().to_string(), "fd00::/64");
        assert_eq!(range("1.2.3.4/0").by_its_first().to_string(), "0.0.0.0/0");
        for text in ["", "1.2.3.4", "1.2.3.4/33", "::1/129", "1.2.3/8", "1.2.3.4/", "1.2.3.4/+8", "x/8"] {
            assert_eq!(text.parse::<Range>(), Err(()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_range_contains_its_own_and_is_written_by_its_first(address in any::<IpAddr>(), length in 0u32..=128) {
            let length = length.min(width(address));
            let range = Range { address, length };
            let first = range.by_its_first();
            prop_assert!(range.contains(address) && range.contains(first.address) && first.covers(range));
            prop_assert_eq!(first.by_its_first(), first);
            prop_assert_eq!(range.to_string().parse(), Ok(range));
        }
    }
}
