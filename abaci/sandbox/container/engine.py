"""The Docker engine, through docker-py: the few things asked of it, each bounded, its errors translated once."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

import docker
from docker.constants import DEFAULT_UNIX_SOCKET
from docker.errors import APIError, DockerException, NotFound
from docker.types import LogConfig, Mount
from docker.utils import kwargs_from_env
from requests.exceptions import RequestException

from abaci.errors import SandboxUnavailable
from abaci.sandbox.container import owner

REQUEST_S = 30.0
"""How long the engine may take to answer a request, in seconds."""
OWNER_LABEL = "abaci.owner"
"""On every container of ours: which process it belongs to, as `owner.this_process` writes it."""
NOBODY = "65534:65534"

_REMOVED_S = 8.0
_POLL_S = 0.02


class EngineError(SandboxUnavailable):
    """The engine does not answer, or refuses a request."""


@dataclass(frozen=True)
class ContainerSpec:
    """One hardened container.

    Args:
        image: its image.
        command: what runs in it.
        runtime: the engine's name of the OCI runtime.
        memory_bytes: the most memory of all its processes together.
        processes: the most processes.
        cpus: processors it may use.
        has_stdin: keep standard input open, until whoever attached first goes.
        environment: all of its variables, beside the image's.
        hidden: paths under which an empty read-only folder lies.
        mounts: path inside → folder of this machine, read-only.
    """

    image: str
    command: list[str]
    runtime: str
    memory_bytes: int
    processes: int
    cpus: float
    environment: Mapping[str, str]
    has_stdin: bool
    hidden: tuple[str, ...] = ("/tmp",)
    mounts: Mapping[str, str] = field(default_factory=dict)


class Engine:
    """A connection to the engine that the environment names (`DOCKER_HOST`), by default this machine's own.

    Raises:
        EngineError: no engine answers.
    """

    def __init__(self) -> None:
        try:
            settings = kwargs_from_env()
            _knock(settings.get("base_url", DEFAULT_UNIX_SOCKET))
            self._client = docker.APIClient(**settings, version="auto", timeout=int(REQUEST_S))
        except (DockerException, RequestException, OSError) as error:
            raise EngineError(
                f"no Docker engine answers ({_reason(error)}): start dockerd, or set DOCKER_HOST, and see that this "
                "user may use it (group docker)"
            ) from error

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __enter__(self) -> Engine:
        """The engine itself."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the connection."""
        self.close()

    # --- images -------------------------------------------------------------------------------------------------------

    def runtimes(self) -> list[str]:
        """The names of the OCI runtimes that the engine knows."""
        with _translated("asking the engine about itself"):
            return sorted(self._client.info().get("Runtimes") or {})

    def has_image(self, tag: str) -> bool:
        """Whether the engine has the image `tag`."""
        with _translated(f"looking for the image {tag}"):
            try:
                self._client.inspect_image(tag)  # type: ignore[no-untyped-call]
            except NotFound:
                return False
            return True

    def images(self, repository: str) -> list[str]:
        """The tags of `repository`."""
        with _translated("listing images"):
            found = self._client.images(repository)
        return sorted(tag for image in found for tag in image.get("RepoTags") or [] if tag.startswith(f"{repository}:"))

    def pull(self, image: str, timeout_s: float) -> None:
        """Fetch `image` from its registry.

        Raises:
            EngineError: it cannot be fetched, or not within `timeout_s`.
        """
        with _translated(f"pulling {image}"), self._patient(timeout_s):
            deadline = time.monotonic() + timeout_s
            for message in self._client.pull(image, stream=True, decode=True):
                _check_progress(message)
                if time.monotonic() > deadline:
                    raise EngineError(f"pulling {image} took more than {timeout_s:g} s")

    def import_rootfs(self, file: IO[bytes], tag: str, timeout_s: float) -> None:
        """Make the tar archive in `file` the image `tag`."""
        repository, _, version = tag.partition(":")
        with _translated(f"importing {tag}"), self._patient(timeout_s):
            self._client.import_image_from_data(file, repository=repository, tag=version)

    def build(
        self, context: IO[bytes], tag: str, arguments: Mapping[str, str], timeout_s: float, say: Callable[[str], None]
    ) -> None:
        """Build the image `tag` from a tar archive with a Dockerfile; the engine's words go to `say`.

        Raises:
            EngineError: a step failed.
        """
        with _translated(f"building {tag}"), self._patient(timeout_s):
            messages = self._client.build(
                fileobj=context,
                custom_context=True,
                tag=tag,
                buildargs=dict(arguments),
                labels={"abaci.content": tag.partition(":")[2]},
                rm=True,
                forcerm=True,
                decode=True,
                timeout=int(timeout_s),
            )
            for message in messages:
                _check_progress(message)
                text = message.get("stream", "").strip()
                if text:
                    say(text)

    # --- containers ---------------------------------------------------------------------------------------------------

    def create(self, spec: ContainerSpec, belongs_to: str) -> str:
        """A container as `spec` says, not started; its id.

        Raises:
            EngineError: the engine refuses.
        """
        host_config = self._client.create_host_config(
            auto_remove=True,
            cap_drop=["ALL"],
            dns=["127.0.0.1"],
            ipc_mode="none",
            log_config=LogConfig(type="none", config={}),
            mem_limit=spec.memory_bytes,
            memswap_limit=spec.memory_bytes,
            mounts=[Mount(target, source, type="bind", read_only=True) for target, source in spec.mounts.items()],
            nano_cpus=int(spec.cpus * 1e9),
            network_mode="none",
            pids_limit=spec.processes,
            read_only=True,
            runtime=spec.runtime,
            security_opt=["no-new-privileges"],
            tmpfs={path: "ro,noexec,nosuid,nodev,size=4k,mode=555" for path in spec.hidden},
        )
        with _translated("creating a container"):
            container = self._client.create_container(
                spec.image,
                command=spec.command,
                environment=dict(spec.environment),
                host_config=host_config,
                hostname="sandbox",
                labels={OWNER_LABEL: belongs_to},
                network_disabled=True,
                stdin_open=spec.has_stdin,
                user=NOBODY,
                working_dir="/tmp",
            )
        return str(container["Id"])

    def attach(self, container: str, *, has_stdin: bool) -> Any:
        """The container's streams, as one socket; to be called before `start`, so that nothing is missed."""
        parameters = {"stdin": int(has_stdin), "stdout": 1, "stderr": 1, "stream": 1}
        with _translated("attaching to a container"):
            return self._client.attach_socket(container, parameters)

    def start(self, container: str) -> None:
        """Start it.

        Raises:
            EngineError: the engine or the runtime refuses.
        """
        with _translated("starting a container"):
            self._client.start(container)

    def remove(self, container: str) -> None:
        """Kill and remove it; returns when it is gone.

        Raises:
            EngineError: it is still there after some seconds.
        """
        with _translated("removing a container"):
            deadline = time.monotonic() + _REMOVED_S
            while time.monotonic() < deadline:
                try:
                    self._client.remove_container(container, force=True)
                except NotFound:
                    return
                except APIError as error:
                    # The engine removes it by itself already, since it ended.
                    if error.status_code != 409:
                        raise
                time.sleep(_POLL_S)
        raise EngineError(f"the container {container[:12]} was not gone after {_REMOVED_S:g} s")

    def containers(self, belonging_to: str | None = None) -> dict[str, str]:
        """The containers of ours, running or not, and whom each belongs to."""
        label = OWNER_LABEL if belonging_to is None else f"{OWNER_LABEL}={belonging_to}"
        with _translated("listing containers"):
            found = self._client.containers(all=True, filters={"label": label})
        return {each["Id"]: each["Labels"][OWNER_LABEL] for each in found}

    def reap(self) -> list[str]:
        """Remove the containers whose owners are dead; which they were."""
        dead = [container for container, name in self.containers().items() if owner.is_dead(name)]
        for container in dead:
            with contextlib.suppress(EngineError):  # Whoever starts next tries again.
                self.remove(container)
        return dead

    @contextmanager
    def _patient(self, timeout_s: float) -> Iterator[None]:
        """Requests may take so long within."""
        usual = self._client.timeout
        self._client.timeout = int(timeout_s)
        try:
            yield
        finally:
            self._client.timeout = usual


def _knock(url: str) -> None:
    """Raise the system's own error where no engine listens; docker-py would bury it, and leak a socket."""
    scheme, _, path = url.partition("://")
    if scheme in ("unix", "http+unix"):
        with socket.socket(socket.AF_UNIX) as attempt:
            attempt.settimeout(REQUEST_S)
            attempt.connect(path)


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except (DockerException, RequestException) as error:
        raise EngineError(f"{what} failed: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """One line, without the libraries' own words where the engine or the system says something."""
    explanation = getattr(error, "explanation", None) or getattr(error, "strerror", None)
    return str(explanation or error).strip().replace("\n", " ")


def _check_progress(message: Mapping[str, Any]) -> None:
    if "error" in message:
        raise EngineError(str(message["error"]).strip())
