"""What python3-kubernetes does with streams: prints a line for each thing that went as it should."""
import sys

from kubernetes import client
from kubernetes.stream import portforward, stream

url, ca, token, open_port, closed_port = sys.argv[1:]
configuration = client.Configuration()
configuration.host = url
configuration.ssl_ca_cert = ca
configuration.api_key = {"authorization": "Bearer " + token}
api = client.CoreV1Api(client.ApiClient(configuration))


def run(command, **options):
    defaults = {"container": "main", "stdin": False, "stdout": True, "stderr": True, "tty": False}
    return stream(api.connect_get_namespaced_pod_exec, "web", "default", command=command, **{**defaults, **options})


output = run(["sh", "-c", "echo out; echo err >&2"])
print("whole", sorted(output.split()))

shell = run(["sh"], stdin=True, _preload_content=False)
shell.write_stdin("echo $((6 * 7))\n")
print("answer", shell.readline_stdout(timeout=10))
shell.write_stdin("exit 9\n")
while shell.is_open():
    shell.update(timeout=1)
print("code", shell.returncode)

zeros = run(["head", "-c", "3000000", "/dev/zero"], _preload_content=False)
size = 0
while zeros.is_open():
    zeros.update(timeout=1)
    size += len(zeros.read_stdout(timeout=1)) if zeros.peek_stdout() else 0
print("size", size)

forward = portforward(api.connect_get_namespaced_pod_portforward, "web", "default", ports=open_port)
connection = forward.socket(int(open_port))
connection.setblocking(True)
connection.sendall(b"hello")
print("echo", connection.recv(100).decode())
connection.close()

forward = portforward(api.connect_get_namespaced_pod_portforward, "web", "default", ports=closed_port)
connection = forward.socket(int(closed_port))
connection.setblocking(True)
connection.recv(10)
print("refused", "ECONNREFUSED" in forward.error(int(closed_port)))
