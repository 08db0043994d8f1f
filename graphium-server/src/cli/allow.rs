//! `--allow`: what stacks may ask of their hosts.

use graphium_core::admission::{Admission, Allowance};

/// What is allowed to stacks beyond what containers can do by themselves.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct AllowArgs {
    /// What stacks may do beyond the default: privileged, host-namespaces, unconfined, bind=/PATH, device=/PATH, capability=NAME, network-driver=NAME, subnet=ADDRESS/LENGTH, log-driver=NAME, registry=HOST[/PATH] (then no other), or all; may be repeated, or separated by commas
    #[arg(long, env = "GRAPHIUM_ALLOW", value_name = "WHAT", value_delimiter = ',')]
    allow: Vec<Allowance>,
}

impl AllowArgs {
    pub(crate) fn admission(&self) -> Admission {
        self.allow.iter().cloned().collect()
    }
}
