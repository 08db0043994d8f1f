//! Lists in parts: `?limit=&cursor=` → `{items…, next}`.

use super::problem::Problem;
use graphium_core::store::Page;
use serde::Deserialize;

/// Which part of a list.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Paging {
    limit: Option<usize>,
    cursor: Option<String>,
}

impl Paging {
    /// At most so many items: 100 unless told, 1000 at the most.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        match self.limit {
            None => Ok(100),
            Some(0) => Err(Problem::new(400, "bad-query", "`limit` is at least 1")),
            Some(limit) => Ok(limit.min(1000)),
        }
    }

    /// Where to go on.
    pub(super) fn cursor(&self) -> Option<String> {
        self.cursor.clone().filter(|cursor| !cursor.is_empty())
    }

    /// A part of a list that is here as a whole. Its cursors are the ids of last items.
    pub(super) fn cut<T>(&self, items: Vec<T>, id: impl Fn(&T) -> &str) -> Result<Page<T>, Problem> {
        let limit = self.limit()?;
        let start = match self.cursor() {
            None => 0,
            Some(cursor) => {
                1 + items.iter().position(|item| id(item) == cursor).ok_or_else(|| {
                    Problem::new(410, "cursor-gone", "what the cursor stood at is gone; begin the list anew")
                })?
            }
        };
        let more = items.len() > start + limit;
        let items: Vec<_> = items.into_iter().skip(start).take(limit).collect();
        let next = items.last().filter(|_| more).map(|item| id(item).to_owned());
        Ok(Page { items, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(limit: usize, cursor: Option<&str>) -> Result<Page<&'static str>, Problem> {
        let paging = Paging { limit: Some(limit), cursor: cursor.map(str::to_owned) };
        paging.cut(vec!["a", "b", "c"], |item| item)
    }

    #[test]
    fn parts_join_to_the_whole() {
        assert_eq!(part(2, None).unwrap(), Page { items: vec!["a", "b"], next: Some("b".into()) });
        assert_eq!(part(2, Some("b")).unwrap(), Page { items: vec!["c"], next: None });
        assert_eq!(part(3, None).unwrap().next, None);
        assert_eq!(part(1, Some("x")).unwrap_err().code, "cursor-gone");
        assert_eq!(part(0, None).unwrap_err().code, "bad-query");
    }
}
