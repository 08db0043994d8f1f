//! What stacks may ask of their hosts beyond what a container can do by itself.
//!
//! Whoever may deploy a privileged container has the whole host. So what reaches out of a container is refused unless an
//! [`Allowance`] says otherwise: the control plane asks before it plans ([`Settings::admission`](crate::control::Settings::admission)),
//! and each agent asks again before it acts ([`AgentSettings::admission`](crate::agent::AgentSettings::admission)), for the last word
//! on a host is that of whoever runs it.
//!
//! # Example
//! ```
//! use graphium_core::{admission::Admission, stack::Container};
//!
//! let admission: Admission = ["bind=/srv".parse()?, "capability=NET_ADMIN".parse()?].into_iter().collect();
//! let container = Container { privileged: true, cap_add: vec!["NET_ADMIN".into()], ..Container::default() };
//! let denied: Vec<_> = admission.container(&container, &|_| false).iter().map(ToString::to_string).collect();
//! assert_eq!(denied, ["`privileged` is not allowed here"]);
//! # Ok::<(), graphium_core::admission::UnknownAllowance>(())
//! ```

mod allowance;
mod check;
mod drivers;

pub use allowance::{Allowance, UnknownAllowance};
pub use check::Denied;

use std::collections::BTreeSet;

/// What is allowed. The default is what no container needs to reach out of itself for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    allowed: BTreeSet<Allowance>,
}

impl FromIterator<Allowance> for Admission {
    fn from_iter<I: IntoIterator<Item = Allowance>>(allowances: I) -> Self {
        Self { allowed: allowances.into_iter().collect() }
    }
}

impl Admission {
    /// Everything is allowed: for rehearsals, and for hosts whose every deployer may have them.
    ///
    /// # Example
    /// ```
    /// use graphium_core::{admission::Admission, stack::Container};
    ///
    /// let container = Container { privileged: true, ..Container::default() };
    /// assert!(Admission::of_everything().container(&container, &|_| false).is_empty());
    /// assert!(!Admission::default().container(&container, &|_| false).is_empty());
    /// ```
    pub fn of_everything() -> Self {
        [Allowance::All].into_iter().collect()
    }

    /// What is allowed beyond the default.
    pub fn allowances(&self) -> impl Iterator<Item = &Allowance> {
        self.allowed.iter()
    }

    /// Whether something that is wanted is covered by something that is allowed.
    fn covers(&self, wanted: &Allowance) -> bool {
        self.allowed.iter().any(|allowed| allowed.covers(wanted))
    }
}
