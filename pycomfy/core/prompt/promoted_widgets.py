"""Apply promoted widgets: values that the host of a subgraph sets for widgets inside it."""

from collections.abc import Mapping

from pycomfy.core.loose_json import as_list
from pycomfy.core.prompt.flatten import FlatNode
from pycomfy.core.prompt.link_resolution import Constant
from pycomfy.core.prompt.node_details import NodeDetails
from pycomfy.core.workflow.model import Input


class PromotedWidgets:
    """The values of the widgets of hosts, and those that hosts set on inner widgets without a link."""

    def __init__(self, nodes: NodeDetails) -> None:
        self._details = nodes
        self._values: dict[str, dict[int, object]] = {}
        self._set: dict[str, dict[str, Constant]] = {}

    def open(self, host: FlatNode) -> None:
        """Compute the values of `host`. Hosts around it must have been opened before; `walk` has that order."""
        self._value_map(host)

    def value(self, host: FlatNode, index: int) -> Constant | None:
        """Return the value of the host's input `index`; None if that is not a promoted widget."""
        values = self._value_map(host)
        if index not in values or host.inner is None or host.inner.subgraph is None:
            return None
        return Constant(values[index], host.id, host.inner.subgraph.inputs[index].name)

    def set_on(self, flat: FlatNode) -> Mapping[str, Constant]:
        """Return the values that a host sets on this node without a link, by widget name."""
        return self._set.get(flat.id, {})

    def left(self, host: FlatNode) -> Mapping[str, object]:
        """Return the saved values of a host that no promoted widget takes, by name, or by position: `[5]`."""
        assert host.inner is not None and host.inner.subgraph is not None  # noqa: S101 - only hosts are opened
        promoted = {host.inner.subgraph.inputs[i].name for i in self._value_map(host)}
        proxies = [p for p in as_list(host.node.properties.get("proxyWidgets")) if isinstance(p, list) and len(p) > 1]
        saved = host.node.named if host.node.named is not None else host.node.values
        if isinstance(saved, tuple):
            taken = max(len(promoted), len(proxies))
            return {f"[{at}]": value for at, value in enumerate(saved) if at >= taken and value is not None}
        known = promoted | {str(proxy[1]) for proxy in proxies}
        return {name: value for name, value in saved.items() if name not in known and value is not None}

    def _value_map(self, host: FlatNode) -> dict[int, object]:
        if host.id not in self._values:
            self._values[host.id] = self._compute_values(host)
        return self._values[host.id]

    def _compute_values(self, host: FlatNode) -> dict[int, object]:
        assert host.inner is not None and host.inner.subgraph is not None  # noqa: S101 - only hosts are opened
        targets: dict[tuple[str, str], int] = {}
        values: dict[int, object] = {}
        for index, slot in enumerate(host.inner.subgraph.inputs):
            for link_id in slot.links:
                target = self._target(host, link_id)
                if target is None:
                    continue
                inner, name = target
                found = self._inner_value(inner, name)
                if found:
                    values[index] = found[0]
                    targets[inner.node.id, name] = index
                    break
        self._apply_saved(host, values)
        self._apply_proxies(host, values, targets)
        for name, constant in self.set_on(host).items():
            index = next((i for i in values if host.inner.subgraph.inputs[i].name == name), -1)
            if index in values:
                values[index] = constant.value
        return values

    def _target(self, host: FlatNode, link_id: str) -> tuple[FlatNode, str] | None:
        """The inner node and the name of its input that a link from the subgraph's inputs feeds."""
        assert host.inner is not None  # noqa: S101 - only hosts are opened
        link = host.inner.links.get(link_id)
        inner = host.inner.nodes.get(link.target) if link is not None else None
        if link is None or inner is None:
            return None
        target: Input | None = next((i for i in inner.node.inputs if i.link == link.id), None)
        if target is None and 0 <= link.target_slot < len(inner.node.inputs):
            target = inner.node.inputs[link.target_slot]
        return None if target is None else (inner, target.name)

    def _inner_value(self, inner: FlatNode, name: str) -> tuple[object, ...]:
        """The value of the inner widget in a tuple; empty if that input is not a widget."""
        if inner.inner is not None and inner.inner.subgraph is not None:
            values = self._value_map(inner)
            inputs = inner.inner.subgraph.inputs
            return next(((values[i],) for i in values if inputs[i].name == name), ())
        if self._details.widget(inner, name) is None:
            return ()
        return (self._details.restored(inner).values[name],)

    def _apply_saved(self, host: FlatNode, values: dict[int, object]) -> None:
        """Apply the values that the host saved: one for each promoted widget in the order of the inputs. With None, the
        inner value stays."""
        assert host.inner is not None and host.inner.subgraph is not None  # noqa: S101 - only hosts are opened
        saved = host.node.named if host.node.named is not None else host.node.values
        if isinstance(saved, tuple):
            for index, value in zip(sorted(values), saved, strict=False):
                if value is not None:
                    values[index] = value
            return
        for index in values:
            value = saved.get(host.inner.subgraph.inputs[index].name)
            if value is not None:
                values[index] = value

    def _apply_proxies(self, host: FlatNode, values: dict[int, object], targets: dict[tuple[str, str], int]) -> None:
        """Apply `proxyWidgets`: the j-th entry names an inner widget, and the j-th saved value of the host is for
        it."""
        assert host.inner is not None and host.inner.subgraph is not None  # noqa: S101 - only hosts are opened
        proxies = host.node.properties.get("proxyWidgets")
        saved = host.node.values
        if not isinstance(proxies, list) or not isinstance(saved, tuple) or host.node.named is not None:
            return
        names = {host.inner.subgraph.inputs[i].name: i for i in values}
        for proxy, value in zip(proxies, saved, strict=False):
            if value is None or not isinstance(proxy, list) or len(proxy) < 2:
                continue
            id_, name = str(proxy[0]), proxy[1]
            if not isinstance(name, str) or name.startswith("$$"):
                continue
            index = names.get(name) if id_ == "-1" else targets.get((id_, name))
            if index is not None:
                values[index] = value
            elif id_ in host.inner.nodes:
                self._set.setdefault(host.inner.nodes[id_].id, {})[name] = Constant(value, host.id, name)
