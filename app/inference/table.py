"""The models that are served: a snapshot, which is replaced whole."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from app.contract.errors import LoadConflict, ModelNotFound, NotReady
from app.inference.host import ModelHost

VersionLabel = Literal["stable", "canary"]
"""A name for whichever version is meant to be that."""


@dataclass(frozen=True, slots=True)
class Route:
    """One model's versions, and which of them answers.

    Attributes:
        versions: those that are ready.
        labels: the version that each label points to; `stable` is always there.
        split: how many requests in a hundred each version answers that are not for a version;
            empty: `stable` answers all.
        shadow: the version that classifies too what another one answers, and how many requests in
            a hundred; empty: none does.
    """

    versions: Mapping[str, ModelHost]
    labels: Mapping[str, str]
    split: Mapping[str, int] = field(default_factory=dict)
    shadow: Mapping[str, int] = field(default_factory=dict)

    @property
    def stable(self) -> ModelHost:
        """The host of the version that `stable` points to."""
        return self.versions[self.labels["stable"]]

    def drawn(self, value: float) -> ModelHost:
        """The host that answers a request that is for no version.

        Args:
            value: from 0 up to 1, with equal chances.
        """
        left = value * 100
        for version, weight in self.split.items():
            left -= weight
            if left < 0:
                return self.versions[version]
        return self.stable


@dataclass(frozen=True, slots=True)
class ModelTable:
    """Which host answers for which model and version.

    Attributes:
        routes: by the model's name.
        default_name: the model that answers where none is named.
        draw: gives values from 0 up to 1 with equal chances. They are the server's own: no client
            shall choose its version by what it sends.
    """

    routes: Mapping[str, Route]
    default_name: str
    draw: Callable[[], float] = random.random

    @property
    def hosts(self) -> list[ModelHost]:
        """All hosts, the default model's first."""
        names = sorted(self.routes, key=lambda name: (name != self.default_name, name))
        return [host for name in names for host in self.routes[name].versions.values()]

    def __contains__(self, key: tuple[str, str]) -> bool:
        """Whether a version, given with its model, is ready."""
        name, version = key
        return name in self.routes and version in self.routes[name].versions

    def find(self, name: str | None, version: str | None) -> ModelHost:
        """The host that answers.

        Args:
            name: of the model; None for the default.
            version: of the model, or a label; None for whichever is served: by the split, if there
                is one, and else the stable one.

        Raises:
            NotReady: if no model is loaded.
            ModelNotFound: if this one is not.
        """
        route = self._route(name)
        if version is None:
            return route.drawn(self.draw()) if route.split else route.stable
        version = route.labels.get(version, version)
        if (host := route.versions.get(version)) is None:
            raise self._not_found(f"{name or self.default_name}:{version}")
        return host

    def with_host(self, host: ModelHost) -> Self:
        """With one more; the first of its model is the stable one."""
        name, version = host.model.name, host.model.version
        old = self.routes.get(name) or Route({}, {"stable": version})
        return self._with(name, replace(old, versions={**old.versions, version: host}))

    def without(self, name: str, version: str) -> Self:
        """Without a host.

        Raises:
            ModelNotFound: if it is not loaded.
            LoadConflict: if requests go to it that others of its model would then have to answer.
        """
        host = self.find(name, version)
        route, version = self.routes[name], host.model.version
        versions = {key: other for key, other in route.versions.items() if key != version}
        if not versions:
            routes = {key: other for key, other in self.routes.items() if key != name}
            return replace(self, routes=routes)
        if route.labels["stable"] == version:
            raise LoadConflict(
                f"{name}:{version} is the stable version; make another one stable first"
            )
        if route.split.get(version):
            raise LoadConflict(
                f"{name}:{version} answers {route.split[version]} of 100 requests; change the split"
                " first"
            )
        labels = {label: target for label, target in route.labels.items() if target != version}
        split = {key: weight for key, weight in route.split.items() if key != version}
        shadow = {key: share for key, share in route.shadow.items() if key != version}
        return self._with(name, Route(versions, labels, split, shadow))

    def with_label(self, name: str, label: VersionLabel, version: str) -> Self:
        """With a label that points to a version. Where `stable` moves to, all requests go.

        Raises:
            ModelNotFound: if the model is not loaded.
            LoadConflict: if the version is not ready.
        """
        route = self._ready(name, version)
        labels = {**route.labels, label: version}
        split = {} if label == "stable" else route.split
        return self._with(name, replace(route, labels=labels, split=split))

    def with_split(self, name: str, split: Mapping[str, int]) -> Self:
        """With other shares of the requests that are for no version.

        Args:
            name: the model's.
            split: how many in a hundred each version answers; they sum to 100.

        Raises:
            ModelNotFound: if the model is not loaded.
            LoadConflict: if one of the versions is not ready.
        """
        for version in split:
            self._ready(name, version)
        return self._with(name, replace(self._route(name), split=dict(split)))

    def with_shadow(self, name: str, version: str, share: int) -> Self:
        """With a version that classifies too what others answer.

        Args:
            name: the model's.
            version: the version that is tried.
            share: how many requests in a hundred it sees; 0 ends it.

        Raises:
            ModelNotFound: if the model is not loaded.
            LoadConflict: if the version is not ready.
        """
        route = self._ready(name, version)
        return self._with(name, replace(route, shadow={version: share} if share else {}))

    def _route(self, name: str | None) -> Route:
        name = self.default_name if name is None else name
        if (route := self.routes.get(name)) is None:
            raise self._not_found(name)
        return route

    def _ready(self, name: str, version: str) -> Route:
        route = self._route(name)
        if version not in route.versions:
            raise LoadConflict(
                f"{name}:{version} is not ready; {', '.join(route.versions)} of it"
                f" {'are' if len(route.versions) > 1 else 'is'}"
            )
        return route

    def _not_found(self, wanted: str) -> NotReady | ModelNotFound:
        served = [f"{host.model.name}:{host.model.version}" for host in self.hosts]
        if not served:
            return NotReady("no model is loaded")
        return ModelNotFound(
            f"{wanted} is not loaded; {', '.join(served)} {'are' if len(served) > 1 else 'is'}"
        )

    def _with(self, name: str, route: Route) -> Self:
        return replace(self, routes={**self.routes, name: route})
