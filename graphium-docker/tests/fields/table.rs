//! One row per key of a document that a container, a network or a volume can have: the key in question first, with a
//! value that is not what an engine does anyway.

use graphium_core::{action::Action, plan::Plan, stack::PullPolicy};

/// Where a key shows.
#[derive(Clone, Copy)]
pub(crate) enum Shown {
    /// In the container as its engine shows it: a pointer and the JSON there. `{stack}` is the name of the stack.
    At(&'static str, &'static str),
    /// The same, among others in a list.
    Among(&'static str, &'static str),
    /// The same, once the agent has done the task: some of it is known on the host alone.
    Deployed(&'static str, &'static str),
    /// In the network.
    Network(&'static str, &'static str),
    /// In the volume.
    Volume(&'static str, &'static str),
    /// In the container on an engine of this minor version of the API or a later one; an older one gets no such request.
    Since(usize, &'static str, &'static str),
    /// In the engine's refusal: what is asked for is not there, and it says so.
    Refused(&'static str),
    /// In what is planned; an engine is not concerned.
    Planned(fn(&Plan) -> bool),
    /// Nowhere, not even in what is planned: it is for people.
    Nowhere,
}

use Shown::{Among, At, Deployed, Network, Nowhere, Planned, Refused, Since, Volume};

/// Place (as the JSON Schema names it), members, and where they show.
pub(crate) type Row = (&'static str, &'static str, Shown);

fn deploys(plan: &Plan, id: &str) -> bool {
    plan.tasks.iter().any(|task| task.id.as_str() == id && matches!(task.action, Action::Deploy { .. }))
}

fn is_on_the_third_host(plan: &Plan) -> bool {
    plan.placements.get("c").is_some_and(|host| host.as_str() == "h3")
}

fn makes_no_network(plan: &Plan) -> bool {
    !plan.tasks.iter().any(|task| matches!(&task.action, Action::Network { spec } if !spec.network.external))
}

fn makes_no_volume(plan: &Plan) -> bool {
    !plan.tasks.iter().any(|task| matches!(&task.action, Action::Volume { spec } if !spec.volume.external))
}

fn is_always(action: &Action) -> bool {
    matches!(action, Action::Pull { policy, .. } if *policy == PullPolicy::Always)
}

pub(crate) const ROWS: &[Row] = &[
    ("container", r#""name": "other""#, At("/Name", r#""/{stack}-other""#)),
    ("container", r#""image": "graphium-fields:other""#, At("/Config/Image", r#""graphium-fields:other""#)),
    ("container", r#""description": "d""#, Nowhere),
    ("container", r#""applicationCategory": "web""#, Nowhere),
    ("container", r#""softwareVersion": "2""#, Nowhere),
    ("container", r#""ports": [{"containerPort": 81}]"#, At("/Config/ExposedPorts", r#"{"81/tcp": {}}"#)),
    ("container", r#""environment": [{"name": "A", "value": "b=c"}]"#, Among("/Config/Env", r#""A=b=c""#)),
    (
        "container",
        r#""volumeMounts": [{"type": "volume", "source": "v", "target": "/v"}]"#,
        // What an engine makes because nobody has is the stack's.
        At("/HostConfig/Mounts/0/VolumeOptions/Labels/graphium.stack.name", r#""{stack}""#),
    ),
    (
        "container",
        r#""healthCheck": {"type": "exec", "command": ["true"]}"#,
        At("/Config/Healthcheck/Test", r#"["CMD", "true"]"#),
    ),
    ("container", r#""resources": {"limits": {"cpus": 1}}"#, At("/HostConfig/NanoCpus", "1000000000")),
    ("container", r#""requirements": {"labels": {"a": "b"}}"#, Planned(is_on_the_third_host)),
    ("container", r#""locatedInHost": "h3""#, Planned(is_on_the_third_host)),
    (
        "container",
        r#""dependsOn": ["b"]"#,
        Planned(|plan| {
            let deploy = plan.tasks.iter().find(|task| task.id.as_str() == "deploy:c");
            deploy.is_some_and(|task| task.depends_on.iter().any(|first| first.as_str() == "deploy:b"))
        }),
    ),
    ("container", r#""command": ["a", "b c"]"#, At("/Config/Cmd", r#"["a", "b c"]"#)),
    ("container", r#""args": ["-a"]"#, At("/Config/Cmd", r#"["-a"]"#)),
    ("container", r#""args": ["-a"], "command": ["x"]"#, At("/Config/Cmd", r#"["x", "-a"]"#)),
    ("container", r#""entrypoint": ["a", "b"]"#, At("/Config/Entrypoint", r#"["a", "b"]"#)),
    ("container", r#""workingDir": "/w""#, At("/Config/WorkingDir", r#""/w""#)),
    ("container", r#""user": "1:2""#, At("/Config/User", r#""1:2""#)),
    ("container", r#""hostname": "h""#, At("/Config/Hostname", r#""h""#)),
    ("container", r#""init": true"#, At("/HostConfig/Init", "true")),
    ("container", r#""tty": true"#, At("/Config/Tty", "true")),
    ("container", r#""stdinOpen": true"#, At("/Config/OpenStdin", "true")),
    ("container", r#""stopSignal": "SIGINT""#, At("/Config/StopSignal", r#""SIGINT""#)),
    ("container", r#""stopGracePeriod": "1m30s""#, At("/Config/StopTimeout", "90")),
    (
        "container",
        r#""restartPolicy": "on-failure:3""#,
        At("/HostConfig/RestartPolicy", r#"{"Name": "on-failure", "MaximumRetryCount": 3}"#),
    ),
    ("container", r#""networkMode": "host""#, At("/HostConfig/NetworkMode", r#""host""#)),
    ("container", r#""aliases": ["www"]"#, Among("/NetworkSettings/Networks/{stack}/Aliases", r#""www""#)),
    ("container", r#""expose": ["80", "53/udp"]"#, At("/Config/ExposedPorts", r#"{"53/udp": {}, "80/tcp": {}}"#)),
    ("container", r#""extraHosts": {"db": "10.0.0.1"}"#, Among("/HostConfig/ExtraHosts", r#""db:10.0.0.1""#)),
    ("container", r#""dns": ["10.1.1.1"]"#, At("/HostConfig/Dns", r#"["10.1.1.1"]"#)),
    ("container", r#""capAdd": ["CAP_NET_ADMIN"]"#, At("/HostConfig/CapAdd", r#"["CAP_NET_ADMIN"]"#)),
    ("container", r#""capDrop": ["ALL"]"#, At("/HostConfig/CapDrop", r#"["ALL"]"#)),
    ("container", r#""privileged": true"#, At("/HostConfig/Privileged", "true")),
    ("container", r#""securityOpt": ["no-new-privileges"]"#, At("/HostConfig/SecurityOpt", r#"["no-new-privileges"]"#)),
    ("container", r#""readOnlyRootfs": true"#, At("/HostConfig/ReadonlyRootfs", "true")),
    ("container", r#""shmSize": "32M""#, At("/HostConfig/ShmSize", "33554432")),
    (
        "container",
        r#""ulimits": [{"name": "nofile", "soft": 64, "hard": 128}]"#,
        At("/HostConfig/Ulimits", r#"[{"Name": "nofile", "Soft": 64, "Hard": 128}]"#),
    ),
    (
        "container",
        r#""devices": [{"hostPath": "/dev/null"}]"#,
        At(
            "/HostConfig/Devices",
            r#"[{"PathOnHost": "/dev/null", "PathInContainer": "/dev/null", "CgroupPermissions": "rwm"}]"#,
        ),
    ),
    ("container", r#""gpus": "all""#, At("/HostConfig/DeviceRequests/0/Count", "-1")),
    ("container", r#""gpus": 2"#, At("/HostConfig/DeviceRequests/0/Count", "2")),
    ("container", r#""gpus": 3"#, At("/HostConfig/DeviceRequests/0/Capabilities", r#"[["gpu"]]"#)),
    (
        "container",
        r#""sysctls": {"net.core.somaxconn": "99"}"#,
        At("/HostConfig/Sysctls", r#"{"net.core.somaxconn": "99"}"#),
    ),
    ("container", r#""logging": {"driver": "local"}"#, At("/HostConfig/LogConfig/Type", r#""local""#)),
    ("container", r#""platform": "linux/s390x""#, Refused("linux/s390x")),
    ("container", r#""pullPolicy": "always""#, Planned(|plan| plan.tasks.iter().any(|task| is_always(&task.action)))),
    ("container", r#""pid": "host""#, At("/HostConfig/PidMode", r#""host""#)),
    ("container", r#""ipc": "shareable""#, At("/HostConfig/IpcMode", r#""shareable""#)),
    ("container", r#""groupAdd": ["audio"]"#, At("/HostConfig/GroupAdd", r#"["audio"]"#)),
    ("container", r#""runtime": "io.containerd.runc.v2""#, At("/HostConfig/Runtime", r#""io.containerd.runc.v2""#)),
    ("container", r#""labels": {"a": "b"}"#, At("/Config/Labels/a", r#""b""#)),
    ("container", r#""replicas": 2"#, Planned(|plan| deploys(plan, "deploy:c-1") && deploys(plan, "deploy:c-2"))),
    ("port", r#""containerPort": 81"#, At("/Config/ExposedPorts", r#"{"81/tcp": {}}"#)),
    ("port", r#""hostPort": 28080"#, At("/HostConfig/PortBindings/80~1tcp/0/HostPort", r#""28080""#)),
    ("port", r#""protocol": "udp""#, At("/HostConfig/PortBindings/80~1udp/0/HostPort", r#""""#)),
    ("port", r#""protocol": "sctp""#, At("/HostConfig/PortBindings/80~1sctp/0/HostPort", r#""""#)),
    ("port", r#""hostIP": "127.0.0.1""#, At("/HostConfig/PortBindings/80~1tcp/0/HostIp", r#""127.0.0.1""#)),
    ("port", r#""name": "http""#, Nowhere),
    ("port", r#""description": "d""#, Nowhere),
    ("environmentVariable", r#""name": "B""#, Among("/Config/Env", r#""B=b""#)),
    ("environmentVariable", r#""value": """#, Among("/Config/Env", r#""A=""#)),
    ("environmentVariable", r#""fromSecret": "token""#, Deployed("/Config/Env", r#""A=secret of token""#)),
    ("environmentVariable", r#""fromHost": "name""#, Deployed("/Config/Env", r#""A=the host""#)),
    ("environmentVariable", r#""description": "d""#, Nowhere),
    ("mount", r#""type": "tmpfs""#, At("/HostConfig/Mounts/0/Type", r#""tmpfs""#)),
    ("mount", r#""source": "v""#, At("/HostConfig/Mounts/0/Source", r#""{stack}_v""#)),
    ("mount", r#""source": "/usr", "type": "bind""#, At("/HostConfig/Mounts/0/Source", r#""/usr""#)),
    ("mount", r#""target": "/other""#, At("/HostConfig/Mounts/0/Target", r#""/other""#)),
    ("mount", r#""readOnly": true, "source": "v""#, At("/HostConfig/Mounts/0/ReadOnly", "true")),
    ("mount", r#""volumeOptions": {"noCopy": true}"#, At("/HostConfig/Mounts/0/VolumeOptions", r#"{"NoCopy": true}"#)),
    (
        "mount",
        r#""bindOptions": {"createHostPath": true}, "type": "bind", "source": "/usr""#,
        At("/HostConfig/Binds", r#"["/usr:/t:rw"]"#),
    ),
    (
        "mount",
        r#""tmpfsOptions": {"size": 4096}, "type": "tmpfs""#,
        At("/HostConfig/Mounts/0/TmpfsOptions", r#"{"SizeBytes": 4096}"#),
    ),
    ("mount", r#""description": "d""#, Nowhere),
    ("optionsOfVolumeMount", r#""noCopy": true"#, At("/HostConfig/Mounts/0/VolumeOptions/NoCopy", "true")),
    ("optionsOfVolumeMount", r#""subpath": "p""#, Since(45, "/HostConfig/Mounts/0/VolumeOptions/Subpath", r#""p""#)),
    ("optionsOfVolumeMount", r#""driver": "graphium-none""#, Refused("graphium-none")),
    (
        "optionsOfVolumeMount",
        r#""driverOpts": {"type": "tmpfs", "device": "tmpfs"}"#,
        Volume("/Options", r#"{"type": "tmpfs", "device": "tmpfs"}"#),
    ),
    ("optionsOfVolumeMount", r#""labels": {"a": "b"}"#, Volume("/Labels/a", r#""b""#)),
    (
        "optionsOfBindMount",
        r#""propagation": "rshared""#,
        At("/HostConfig/Mounts/0/BindOptions/Propagation", r#""rshared""#),
    ),
    ("optionsOfBindMount", r#""createHostPath": true"#, At("/HostConfig/Binds", r#"["/usr:/t:rw"]"#)),
    ("optionsOfTmpfsMount", r#""size": "64M""#, At("/HostConfig/Mounts/0/TmpfsOptions/SizeBytes", "67108864")),
    ("optionsOfTmpfsMount", r#""mode": "1777""#, At("/HostConfig/Mounts/0/TmpfsOptions/Mode", "1023")),
    ("healthCheck", r#""type": "none""#, At("/Config/Healthcheck", r#"{"Test": ["NONE"]}"#)),
    (
        "healthCheck",
        r#""command": ["CMD-SHELL", "test -e /x"]"#,
        At("/Config/Healthcheck/Test", r#"["CMD-SHELL", "test -e /x"]"#),
    ),
    // The agent makes these, and learns from a label what to do; what the image has of its own is switched off.
    ("healthCheck", r#""type": "tcp", "port": 80"#, At("/Config/Healthcheck", r#"{"Test": ["NONE"]}"#)),
    (
        "healthCheck",
        r#""path": "/up", "type": "http", "port": 80"#,
        At(CHECK, r#"{"type":"http","path":"/up","port":80}"#),
    ),
    ("healthCheck", r#""port": 81, "type": "grpc""#, At(CHECK, r#"{"type":"grpc","port":81}"#)),
    (
        "healthCheck",
        r#""headers": {"a": "b"}, "type": "http", "port": 80"#,
        At(CHECK, r#"{"type":"http","path":"/","port":80,"headers":{"a":"b"}}"#),
    ),
    ("healthCheck", r#""interval": 10, "command": ["true"]"#, At("/Config/Healthcheck/Interval", "10000000000")),
    ("healthCheck", r#""timeout": "5s", "command": ["true"]"#, At("/Config/Healthcheck/Timeout", "5000000000")),
    ("healthCheck", r#""retries": 7, "command": ["true"]"#, At("/Config/Healthcheck/Retries", "7")),
    ("healthCheck", r#""startPeriod": 0.5, "command": ["true"]"#, At("/Config/Healthcheck/StartPeriod", "500000000")),
    ("resources", r#""limits": {"cpus": 2}"#, At("/HostConfig/NanoCpus", "2000000000")),
    ("resources", r#""reservations": {"cpus": 1}"#, At("/HostConfig/CpuShares", "1024")),
    ("limits", r#""cpus": 0.5"#, At("/HostConfig/NanoCpus", "500000000")),
    ("limits", r#""memory": "512M""#, At("/HostConfig/Memory", "536870912")),
    ("limits", r#""memorySwap": "1G", "memory": "512M""#, At("/HostConfig/MemorySwap", "1073741824")),
    ("limits", r#""pids": 9"#, At("/HostConfig/PidsLimit", "9")),
    ("reservations", r#""cpus": 0.25"#, At("/HostConfig/CpuShares", "256")),
    ("reservations", r#""memory": 67108864"#, At("/HostConfig/MemoryReservation", "67108864")),
    ("requirements", r#""labels": {"a": "b"}"#, Planned(is_on_the_third_host)),
    ("requirements", r#""preferredDatacenter": "dc3""#, Planned(is_on_the_third_host)),
    (
        "dependency",
        r#""condition": "healthy""#,
        Planned(|plan| {
            let is_gate = |action: &Action| matches!(action, Action::Check { name, .. } if name.ends_with("-b"));
            plan.tasks.iter().any(|task| is_gate(&task.action))
        }),
    ),
    ("ulimit", r#""name": "nproc""#, At("/HostConfig/Ulimits/0/Name", r#""nproc""#)),
    ("ulimit", r#""soft": 1"#, At("/HostConfig/Ulimits/0/Soft", "1")),
    ("ulimit", r#""hard": 9"#, At("/HostConfig/Ulimits/0/Hard", "9")),
    ("device", r#""hostPath": "/dev/null""#, At("/HostConfig/Devices/0/PathOnHost", r#""/dev/null""#)),
    ("device", r#""containerPath": "/dev/c""#, At("/HostConfig/Devices/0/PathInContainer", r#""/dev/c""#)),
    ("device", r#""permissions": "r""#, At("/HostConfig/Devices/0/CgroupPermissions", r#""r""#)),
    ("logging", r#""driver": "none""#, At("/HostConfig/LogConfig/Type", r#""none""#)),
    ("logging", r#""options": {"max-size": "1m"}"#, At("/HostConfig/LogConfig/Config", r#"{"max-size": "1m"}"#)),
    ("network", r#""name": "{stack}-own""#, Network("/Name", r#""{stack}-own""#)),
    ("network", r#""driver": "graphium-none""#, Refused("graphium-none")),
    ("network", r#""subnet": "10.231.0.0/24""#, Network("/IPAM/Config/0/Subnet", r#""10.231.0.0/24""#)),
    (
        "network",
        r#""gateway": "10.231.1.9", "subnet": "10.231.1.0/24""#,
        Network("/IPAM/Config/0/Gateway", r#""10.231.1.9""#),
    ),
    (
        "network",
        r#""ipRange": "10.231.2.128/25", "subnet": "10.231.2.0/24""#,
        Network("/IPAM/Config/0/IPRange", r#""10.231.2.128/25""#),
    ),
    ("network", r#""internal": true"#, Network("/Internal", "true")),
    ("network", r#""external": true"#, Planned(makes_no_network)),
    ("network", r#""labels": {"a": "b"}"#, Network("/Labels/a", r#""b""#)),
    (
        "network",
        r#""options": {"com.docker.network.bridge.enable_icc": "false"}"#,
        Network("/Options/com.docker.network.bridge.enable_icc", r#""false""#),
    ),
    ("volume", r#""name": "w""#, Volume("/Name", r#""{stack}_w""#)),
    ("volume", r#""driver": "graphium-none""#, Refused("graphium-none")),
    (
        "volume",
        r#""driverOpts": {"type": "tmpfs", "device": "tmpfs"}"#,
        Volume("/Options", r#"{"type": "tmpfs", "device": "tmpfs"}"#),
    ),
    ("volume", r#""labels": {"a": "b"}"#, Volume("/Labels/a", r#""b""#)),
    ("volume", r#""external": true"#, Planned(makes_no_volume)),
];

/// The label by which an agent knows what it has to check; its text is JSON.
const CHECK: &str = "/Config/Labels/graphium.health-check";
