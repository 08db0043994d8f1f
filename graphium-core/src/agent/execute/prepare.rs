//! What is filled into a specification on the host, at the last moment.

use super::{HostFacts, Job, Trouble, secrets::Prepared};
use crate::{
    runtime::{ContainerSpec, label},
    secret::SecretText,
    stack::{EnvValue, EnvVar},
};
use std::sync::Arc;

impl Job<'_> {
    /// The specification with the labels of this attempt and every variable resolved.
    pub(super) async fn prepare(&self, spec: &ContainerSpec) -> Result<Prepared, Trouble> {
        // Its hash is that of what was asked for, without what this attempt adds: the next one must know the container again.
        let mut spec = Prepared(ContainerSpec { hash: Some(spec.planned_hash()), ..spec.clone() });
        let secrets = self.secrets_of(&spec).await?;
        let is_open = |variable: &EnvVar| !matches!(variable.value, EnvValue::Literal(_));
        let open = if spec.container.environment.iter().any(is_open) {
            &mut *Arc::make_mut(&mut spec.0.container).environment
        } else {
            &mut []
        };
        for variable in open {
            let value = match &variable.value {
                EnvValue::Literal(_) => continue,
                EnvValue::FromHost(fact) => host_fact(&self.place.facts, fact, &variable.name)?,
                EnvValue::FromSecret(secret) => {
                    secrets.get(secret).map(SecretText::reveal).unwrap_or_default().to_owned()
                }
            };
            variable.value = EnvValue::Literal(value);
        }
        let labels = Arc::make_mut(&mut spec.0.labels);
        let mut mark = |name: &str, value: String| labels.insert(name.to_owned(), value);
        mark(label::TASK, self.task.id.to_string());
        mark(label::ATTEMPT, self.task.attempt.to_string());
        if let Some(deployment) = &self.task.deployment_id {
            mark(label::DEPLOYMENT, deployment.to_string());
        }
        Ok(spec)
    }
}

fn host_fact(facts: &HostFacts, fact: &str, variable: &str) -> Result<String, Trouble> {
    match fact {
        "name" => Ok(facts.name.to_string()),
        "address" => facts.address.map(|address| address.to_string()).ok_or_else(|| {
            Trouble::hopeless(
                "host-address-unknown",
                format!(
                    "variable `{variable}` asks for the address of host `{}`, which its agent does not know",
                    facts.name
                ),
                "start the agent with `--address`",
            )
        }),
        other => Err(Trouble::hopeless(
            "host-fact-unknown",
            format!("variable `{variable}` asks for `{other}` of its host, which no agent knows"),
            "a host has a `name` and an `address`",
        )),
    }
}
