"""What programs do with python3-kubernetes: watch from a list on, make and change things, exec."""
import sys
from kubernetes import client, config, watch
from kubernetes.stream import stream

config.load_kube_config(sys.argv[1])
core, apps = client.CoreV1Api(), client.AppsV1Api()

labels = {"app": "py"}
container = client.V1Container(name="main", image="busybox", command=["sleep", "3600"])
template = client.V1PodTemplateSpec(
    metadata=client.V1ObjectMeta(labels=labels), spec=client.V1PodSpec(containers=[container], termination_grace_period_seconds=0)
)
spec = client.V1DeploymentSpec(replicas=2, selector=client.V1LabelSelector(match_labels=labels), template=template)
before = core.list_namespaced_pod("default", label_selector="app=py")
apps.create_namespaced_deployment("default", client.V1Deployment(metadata=client.V1ObjectMeta(name="py"), spec=spec))


def ready(pod):
    return any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or [])


seen, types = set(), []
since = before.metadata.resource_version
for event in watch.Watch().stream(
    core.list_namespaced_pod, "default", label_selector="app=py", resource_version=since, timeout_seconds=50
):
    types.append(event["type"])
    if ready(event["object"]):
        seen.add(event["object"].metadata.name)
    if len(seen) == 2:
        break
print("ready", len(seen), "first", types[0])

name = sorted(seen)[0]
print("exec", stream(core.connect_get_namespaced_pod_exec, name, "default", command=["echo", "from inside"], stdout=True, stderr=True, stdin=False, tty=False).strip())
since = core.list_namespaced_pod("default").metadata.resource_version
apps.patch_namespaced_deployment_scale("py", "default", {"spec": {"replicas": 1}})
gone = 0
for event in watch.Watch().stream(
    core.list_namespaced_pod, "default", label_selector="app=py", resource_version=since, timeout_seconds=50
):
    if event["type"] == "DELETED":
        gone += 1
        break
print("gone", gone)
try:
    core.read_namespaced_pod("nobody", "default")
except client.exceptions.ApiException as error:
    print("error", error.status, error.reason)
metrics = client.CustomObjectsApi().list_cluster_custom_object("metrics.k8s.io", "v1beta1", "nodes")
print("metrics", len(metrics["items"]))
apps.delete_namespaced_deployment("py", "default")
