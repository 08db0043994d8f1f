//! Platforms as `os/architecture[/variant]`, under the several names that Go, kernels and people have for them.

/// Whether an engine of one platform runs images of another.
pub(super) fn runs(own: &str, wanted: &str) -> bool {
    let (own, wanted) = (Platform::of(own), Platform::of(wanted));
    // A variant is of one architecture, and which of them a processor runs is nothing that an engine tells.
    own.is_of(&wanted)
}

/// Whether an image of the platform `image` is what is asked for by `wanted`: what `wanted` leaves open may be anything, and so may a
/// variant that the image does not tell.
///
/// # Example
/// ```
/// use graphium_core::inventory::platform_suits;
///
/// assert!(platform_suits("linux/amd64", "linux/amd64"));
/// assert!(!platform_suits("linux/amd64", "linux/arm64"));
/// ```
pub fn suits(image: &str, wanted: &str) -> bool {
    let (image, wanted) = (Platform::of(image), Platform::of(wanted));
    let variants = image.variant.is_empty() || wanted.variant.is_empty() || image.variant == wanted.variant;
    image.is_of(&wanted) && variants
}

struct Platform<'a> {
    os: &'a str,
    architecture: &'a str,
    variant: &'a str,
}

impl<'a> Platform<'a> {
    /// `linux/arm64/v8`, or an architecture alone.
    fn of(text: &'a str) -> Self {
        let mut parts = text.split('/');
        let (first, second) = (parts.next().unwrap_or_default(), parts.next());
        let (os, architecture) = match second {
            Some(architecture) => (first, architecture),
            None if ["linux", "windows"].contains(&first) => (first, ""),
            None => ("linux", first),
        };
        let architecture = match architecture {
            "x86_64" | "x86-64" => "amd64",
            "aarch64" => "arm64",
            "armhf" | "armel" => "arm",
            "i386" | "i686" => "386",
            other => other,
        };
        Self { os, architecture, variant: parts.next().unwrap_or_default() }
    }

    fn is_of(&self, wanted: &Platform<'_>) -> bool {
        self.os == wanted.os && (self.architecture == wanted.architecture || wanted.architecture.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_one_under_their_several_names() {
        for (own, wanted, runs_it) in [
            ("linux/amd64", "linux/amd64", true),
            ("linux/amd64", "x86_64", true),
            ("linux/x86_64", "linux/amd64/v2", true),
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm64", "linux/aarch64", true),
            ("linux/amd64", "linux", true),
            ("linux/amd64", "linux/arm64", false),
            ("linux/amd64", "windows/amd64", false),
            ("linux/amd64", "windows", false),
        ] {
            assert_eq!(runs(own, wanted), runs_it, "{own} and {wanted}");
            assert_eq!(suits(own, wanted), runs_it, "{own} and {wanted}");
        }
        // One engine runs both, but they are two images.
        assert!(runs("linux/arm/v7", "linux/arm/v6") && !suits("linux/arm/v7", "linux/arm/v6"));
        assert!(suits("linux/arm/v7", "linux/arm") && suits("linux/arm", "linux/arm/v7"));
    }
}
