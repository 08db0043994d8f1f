//! A document in another order that says the same: objects and sets shuffled, lists left as they are.

use serde_json::Value;

/// What is a list in our context or in JSON-LD itself, and what only its owner understands.
const LISTS: [&str; 9] = ["command", "args", "entrypoint", "dns", "test", "@list", "@context", "x:tags", "annotations"];

/// Shuffles by a seed; the same seed gives the same order.
pub(crate) fn permuted(value: &Value, seed: u64) -> Value {
    permute(value, &mut seed.wrapping_add(0x9e37_79b9_7f4a_7c15))
}

fn permute(value: &Value, state: &mut u64) -> Value {
    match value {
        Value::Array(elements) => {
            let mut elements: Vec<Value> = elements.iter().map(|element| permute(element, state)).collect();
            shuffle(&mut elements, state);
            Value::Array(elements)
        }
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members
                .iter()
                .map(|(key, member)| {
                    let is_list = LISTS.iter().any(|list| key == list || key.ends_with(&format!("#{list}")));
                    (key.clone(), if is_list { member.clone() } else { permute(member, state) })
                })
                .collect();
            shuffle(&mut members, state);
            Value::Object(members.into_iter().collect())
        }
        other => other.clone(),
    }
}

fn shuffle<T>(elements: &mut [T], state: &mut u64) {
    for end in (1..elements.len()).rev() {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        elements.swap(end, usize::try_from(*state >> 33).unwrap_or(0) % (end + 1));
    }
}
