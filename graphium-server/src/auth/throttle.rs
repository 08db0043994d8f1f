//! Whoever guesses has to wait, and nobody else.
//!
//! What is counted are failures of one name from one address, and of one address with all names. So nobody can lock somebody out whose
//! address is another: the owner gets in while others guess.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// So many may fail without a wait.
const FREE: u32 = 5;
/// The same of an address, with whatever names: many people may share one.
const FREE_OF_ADDRESS: u32 = 50;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// So many are remembered; beyond it those go first whose wait ends first.
const MOST: usize = 10_000;

/// Failures that are remembered.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<HashMap<(IpAddr, Option<String>), Failures>>);

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    /// Until when the next has to wait, in the server's own time.
    until: Duration,
}

impl Throttle {
    /// How long a try has to wait yet.
    ///
    /// # Errors
    /// The rest of the wait.
    pub(crate) fn admit(&self, address: IpAddr, name: &str, now: Duration) -> Result<(), Duration> {
        let failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = [(address, Some(name.to_owned())), (address, None)];
        let wait = keys.iter().filter_map(|key| failed.get(key)).map(|one| one.until.saturating_sub(now)).max();
        match wait {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => Ok(()),
        }
    }

    /// Notes how a try ended.
    pub(crate) fn note(&self, address: IpAddr, name: &str, was_right: bool, now: Duration) {
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if was_right {
            failed.remove(&(address, Some(name.to_owned())));
            return;
        }
        if failed.len() > MOST - 2 {
            // What has long been waited for is of no use any more.
            failed.retain(|_, one| one.until + LONGEST > now);
        }
        // Two are noted at a time.
        while failed.len() > MOST - 2
            && let Some(first) = failed.iter().min_by_key(|(_, one)| one.until).map(|(key, _)| key.clone())
        {
            failed.remove(&first);
        }
        for (key, free) in [((address, Some(name.to_owned())), FREE), ((address, None), FREE_OF_ADDRESS)] {
            let one = failed.entry(key).or_insert(Failures { count: 0, until: now });
            // Who has waited for a long time begins anew.
            if one.until + LONGEST < now {
                one.count = 0;
            }
            one.count = one.count.saturating_add(1);
            let over = one.count.saturating_sub(free);
            let wait = if over == 0 { Duration::ZERO } else { Duration::from_secs(1 << over.min(10)).min(LONGEST) };
            one.until = now + wait;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_guesser_waits_ever_longer_and_the_owner_does_not() {
        let throttle = Throttle::default();
        for _ in 0..FREE {
            throttle.note(HERE, "ann", false, at(0));
        }
        assert_eq!(throttle.admit(HERE, "ann", at(0)), Ok(()));
        throttle.note(HERE, "ann", false, at(0));
        assert_eq!(throttle.admit(HERE, "ann", at(1)), Err(at(1)));
        throttle.note(HERE, "ann", false, at(2));
        assert_eq!(throttle.admit(HERE, "ann", at(2)), Err(at(4)));
        for _ in 0..40 {
            throttle.note(HERE, "ann", false, at(6));
        }
        assert_eq!(throttle.admit(HERE, "ann", at(6)), Err(LONGEST));
        assert_eq!(throttle.admit(THERE, "ann", at(6)), Ok(()));
        assert_eq!(throttle.admit(HERE, "bob", at(6)), Ok(()));
        assert_eq!(throttle.admit(HERE, "ann", at(6) + LONGEST), Ok(()));
    }

    #[test]
    fn who_gets_in_begins_anew() {
        let throttle = Throttle::default();
        (0..FREE).for_each(|_| throttle.note(HERE, "ann", false, at(0)));
        throttle.note(HERE, "ann", true, at(0));
        throttle.note(HERE, "ann", false, at(0));
        assert_eq!(throttle.admit(HERE, "ann", at(0)), Ok(()));
    }

    #[test]
    fn an_address_that_tries_many_names_waits() {
        let throttle = Throttle::default();
        (0..=FREE_OF_ADDRESS).for_each(|number| throttle.note(HERE, &format!("n{number}"), false, at(0)));
        assert!(throttle.admit(HERE, "ann", at(0)).is_err());
        assert_eq!(throttle.admit(THERE, "ann", at(0)), Ok(()));
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let throttle = Throttle::default();
        for number in 0..(3 * MOST as u32) {
            throttle.note(IpAddr::V4(number.into()), "ann", false, at(0));
        }
        assert!(throttle.0.lock().unwrap().len() <= MOST);
    }
}
