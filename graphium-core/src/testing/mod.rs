//! What tests and rehearsals use in the place of the real world, and suites for implementations of the traits.
//!
//! # Example
//! ```
//! use graphium_core::environment::Environment;
//! use graphium_core::runtime::{ContainerRuntime, ContainerSpec, RuntimeError, label};
//! use graphium_core::stack::Container;
//! use graphium_core::testing::{Effects, FakeRuntime, ManualEnvironment, Operation, Program, Thing};
//! use std::{sync::Arc, time::Duration};
//!
//! // Time passes only where somebody sleeps.
//! let world = ManualEnvironment::default();
//! let begun = world.elapsed();
//! world.run(world.sleep(Duration::from_secs(3600)));
//! assert_eq!(world.elapsed() - begun, Duration::from_secs(3600));
//!
//! let engine = FakeRuntime::with_environment(Arc::new(world.clone()));
//! engine.put_image("nginx:alpine", Program::exits(3));
//! let container = Container { name: "web".to_owned(), image: "nginx:alpine".to_owned(), ..Container::default() };
//! let labels = [(label::MANAGED.to_owned(), "true".to_owned())].into();
//! let spec = ContainerSpec { labels: Arc::new(labels), ..ContainerSpec::new("shop-web", container) };
//! world.run(async {
//!     // The next call fails as it is told to.
//!     engine.fail_next(Operation::Create, RuntimeError::Failed("no space left on device".to_owned()));
//!     assert!(engine.create(&spec).await.is_err());
//!     engine.create(&spec).await?;
//!     engine.start("shop-web").await?;
//!     assert_eq!(engine.container("shop-web").unwrap().observed.exit_code, Some(3));
//!     // What somebody else has made is not ours to remove.
//!     engine.make_foreign(Thing::Container, "theirs");
//!     assert!(engine.remove("theirs").await.is_err());
//!     Ok::<(), RuntimeError>(())
//! })?;
//! let effects: Effects = engine.effects("shop-web");
//! assert_eq!((effects.created, effects.started, effects.removed), (1, 1, 0));
//! # Ok::<(), RuntimeError>(())
//! ```

mod decorator;
mod environment;
mod fake_runtime;
pub mod linearize;
pub mod runtime_suite;
pub mod store_suite;

pub use decorator::{Decorated, StoreDecorator};
pub use environment::ManualEnvironment;
pub use fake_runtime::{Effects, FakeRuntime, Operation, Program, Thing};
