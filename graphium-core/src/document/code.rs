//! Every kind of finding that the reader can make: one code each, its severity, what it means, what to do.

use crate::diagnostic::Severity;

macro_rules! codes {
    ($($severity:ident { $($name:ident $text:literal $meaning:literal $fix:literal)* })*) => {
        /// A kind of finding. Codes are stable: one that exists is never renamed and never means something else.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $meaning] $name,)*)*
        }

        impl Code {
            /// All of them, errors first.
            pub const ALL: &[Self] = &[$($(Self::$name,)*)*];

            /// The code as text, kebab-case.
            pub fn as_str(self) -> &'static str {
                match self { $($(Self::$name => $text,)*)* }
            }

            /// How bad it is; the same wherever it occurs.
            pub fn severity(self) -> Severity {
                match self { $($(Self::$name => Severity::$severity,)*)* }
            }

            /// What it means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $($(Self::$name => $meaning,)*)* }
            }

            /// What to do about it, in a sentence.
            pub fn fix(self) -> &'static str {
                match self { $($(Self::$name => $fix,)*)* }
            }
        }
    };
}

codes! {
    Error {
        // The text itself.
        TooLarge "too-large" "the document is larger than 8 MiB, or becomes so when its variables are filled in" "split it into several stacks"
        TooDeep "too-deep" "values are nested more than 32 levels deep" "flatten it; no stack needs that"
        TooManyNodes "too-many-nodes" "the document has more than 100,000 values" "split it into several stacks"
        InvalidUtf8 "invalid-utf8" "the document is not UTF-8" "save it as UTF-8"
        NulCharacter "nul-character" "a string has a NUL character, which no engine accepts" "remove it"
        LoneSurrogate "lone-surrogate" "an escape is half of a surrogate pair" "write the character itself, or both halves"
        Syntax "syntax" "the text is not JSON" "write what was expected at that place"
        NumberOutOfRange "number-out-of-range" "a number is larger than any machine number" "write a smaller one"
        DuplicateKey "duplicate-key" "one thing is said twice in an object" "keep one of the two"
        // JSON-LD.
        UnknownContext "unknown-context" "`@context` names a context that is not built in; none is ever downloaded" "use one of the known contexts"
        ContextEntry "context-entry" "`@context` has an entry that is neither a known URL nor a prefix" "declare prefixes only, as absolute IRIs ending in `#` or `/`"
        ContextPlace "context-place" "`@context` stands below the top of the document" "move it to the top"
        NeedsJsonLd "needs-json-ld" "the document is JSON-LD with terms of its own or in expanded form, and this build has no JSON-LD processor" "build with the feature `json-ld`, or write the document with our own context"
        UnsoundJsonLd "unsound-json-ld" "a JSON-LD processor cannot expand the document" "correct what the message names"
        TooCostly "too-costly" "the contexts of the document are too large for a document of its size" "define fewer terms, at the top of the document only"
        Busy "busy" "the machine expands as many other documents as it can at a time" "try again in a moment; nothing is wrong with this one"
        UnknownKeyword "unknown-keyword" "a key begins with `@` but is no keyword that has a meaning here" "use the keyword that was meant"
        UndeclaredPrefix "undeclared-prefix" "a key has a prefix that `@context` does not declare" "declare the prefix"
        UnknownType "unknown-type" "`@type` names nothing that a stack document has" "use one of the known types"
        NoStack "no-stack" "the document has no stack" "add a node of type `datacenter:Stack`"
        SeveralStacks "several-stacks" "the document has more than one stack" "write one document per stack"
        StrayContainer "stray-container" "a container belongs to no stack" "list it in the stack's `hasPart`"
        // Keys and values.
        UnknownKey "unknown-key" "the key means nothing at this place" "use the key that the help names, or a declared prefix of your own"
        MissingKey "missing-key" "something that must be said is not" "add the key"
        MissingImage "missing-image" "a container has no image" "add `image`"
        EmptyStack "empty-stack" "the stack has no container" "list its containers in `hasPart`"
        WrongType "wrong-type" "the value has another JSON type than this key takes" "write it as the help shows"
        UnknownValue "unknown-value" "the key takes one of a few words, and this is none of them" "use one of the words that the help lists"
        UnknownRestartPolicy "unknown-restart-policy" "the text names no restart policy" "use no, always, on-failure[:times] or unless-stopped"
        BadPort "bad-port" "the number is no port" "use 1 to 65535; leave `hostPort` out to let the engine choose"
        BadNumber "bad-number" "the number is outside of what this key takes" "use a number of the range that the message names"
        BadSize "bad-size" "the text is no size" "write bytes, or a number with K, M, G or T as in `512M`"
        BadDuration "bad-duration" "the text is no duration" "write seconds, or units as in `1m30s`"
        BadName "bad-name" "the name cannot be used with an engine" "use lower-case letters, digits, `-`, `_` and `.`"
        BadAddress "bad-address" "the text is no address, or no range of addresses" "write an IP address, or a range as in `172.20.0.0/16`"
        BadPath "bad-path" "a path inside a container must be absolute" "begin it with `/`"
        BadForm "bad-form" "the text does not have the form that this key takes" "write it as the help shows"
        UnclosedQuote "unclosed-quote" "a command opens a quote that it does not close" "close the quote, or write the command as a list"
        // Variables.
        UnsetVariable "unset-variable" "a variable that the document uses is not set, or is empty where `${NAME:?}` asks for a value" "set it, or give a default with `${NAME:-default}`"
        BadVariable "bad-variable" "a `${` begins nothing that can be read as a variable" "use `${NAME}`, `${NAME:-default}` or `${NAME:?message}`; `$$` is a plain `$`"
        // The whole document.
        DuplicateName "duplicate-name" "two things have the same name or the same `@id`" "rename one"
        UnresolvedReference "unresolved-reference" "something is referred to that the document does not define" "use a name that the help lists"
        AmbiguousReference "ambiguous-reference" "a reference fits more than one container" "refer to the `@id`"
        DependencyCycle "dependency-cycle" "containers wait for each other in a circle, or a stack for itself" "remove one of the dependencies that the message lists"
        HealthyWithoutCheck "healthy-without-check" "something waits for a container to be healthy that has no health check" "give it a `healthCheck` (one that its image has is not seen here), or wait for `started`"
        NeverCompletes "never-completes" "something waits for a container to complete that its engine always starts again" "let it restart `no` or `on-failure`, or wait for `started`"
        StartFirstPort "start-first-port" "in an update the new container is to start before the old one stops, and both would publish one port of one host" "use the order `stop-first`, or leave `hostPort` out"
        HostPortClash "host-port-clash" "two containers on one host publish the same port" "change one `hostPort`, or place them on different hosts"
        PortMismatch "port-mismatch" "two spellings of one port disagree" "make them the same, or use `containerPort` and `hostPort`"
        NetworkConflict "network-conflict" "the network of a container does not go with something else that it says" "do as the help says, or use the network of the stack"
        ReservedLabel "reserved-label" "a label begins with `graphium.`, which Graphium sets itself" "use a prefix of your own"
        HostConflict "host-conflict" "a container is bound to two different hosts" "name one host"
        VolumeConflict "volume-conflict" "one volume is described twice, differently" "describe it once, in the stack's `volumes`"
        ReservationOverLimit "reservation-over-limit" "more is reserved than may be used" "raise the limit or lower the reservation"
        OverlayUnsupported "overlay-unsupported" "overlay networks do not exist yet" "use `host-port`: containers reach each other through published ports"
        MoreMistakes "more-mistakes" "there are more mistakes than are shown" "fix the first ones"
        // Formatting.
        NotRewritable "not-rewritable" "the place cannot be written in the native form without knowing a variable" "write it in the native form yourself"
    }
    Warning {
        MissingContext "missing-context" "the document has no `@context`; it is read as an older document" "add `@context`"
        RelativeSource "relative-source" "a bind mount has a relative source, which means nothing on another host" "use an absolute path on the host"
        OutsideStack "outside-stack" "a container uses a network or shares something with a container that is not of its stack" "see to it that it is there, on the same host, before"
        IgnoredNode "ignored-node" "a node of a foreign type is not part of the stack" "nothing, or remove it"
        LeftOut "left-out" "formatting leaves out what has no effect and no place in the native form" "move it to a key of your own prefix to keep it"
        NotCompared "not-compared" "no values that were tried for the variables make a document that can be read, so formatting could not check its result" "compare the two documents, or give the variables defaults"
        KeptWhole "kept-whole" "formatting takes a variable in an older form for one part of it" "write the parts yourself if its value has several"
    }
    Note {
        Alias "alias" "an older spelling is read as the canonical one" "use the canonical spelling"
        OlderForm "older-form" "an older form of a value is read as the canonical one" "use the canonical form"
        DerivedId "derived-id" "a stack or container has no `@id`; one is made of its name" "add the `@id` to keep it when names change"
        ChangedName "changed-name" "a name has characters that an engine does not take; another is used" "use the name that the message shows"
        IgnoredKey "ignored-key" "the key is accepted and has no effect" "nothing, or remove it"
        MoreFindings "more-findings" "there are more warnings and notes than are shown" "fix the first ones"
    }
}
