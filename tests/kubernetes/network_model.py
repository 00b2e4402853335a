"""Who may reach whom under NetworkPolicies: a small model of what the API says of them, for the
fields that ours use, and an error for any other."""

import dataclasses

import manifests


@dataclasses.dataclass(frozen=True)
class Peer:
    """A Pod, by the labels of its namespace and its own; both None: an address outside."""
    name: str
    namespace: dict | None
    labels: dict | None
    ports: dict = dataclasses.field(default_factory=dict)  # of its containers: name → number

    def __hash__(self):
        return hash(self.name)


def _matches(selector, labels):
    if set(selector) - {"matchLabels"}:
        raise ValueError(f"not modelled: {selector}")
    return manifests.selects(selector.get("matchLabels", {}), labels)


def _allows_peer(rule_peers, peer, policy_namespace):
    if rule_peers is None:
        return True
    for one in rule_peers:
        if set(one) - {"podSelector", "namespaceSelector"}:
            raise ValueError(f"not modelled: {one}")
        if peer.namespace is None:
            continue
        # Without a namespaceSelector: Pods of the policy's own namespace.
        in_namespace = (_matches(one["namespaceSelector"], peer.namespace)
                        if "namespaceSelector" in one else peer.namespace == policy_namespace)
        if in_namespace and _matches(one.get("podSelector", {}), peer.labels):
            return True
    return False


def _allows_port(rule_ports, target, port, protocol):
    if rule_ports is None:
        return True
    for one in rule_ports:
        if set(one) - {"port", "protocol"}:
            raise ValueError(f"not modelled: {one}")
        number = one["port"] if isinstance(one["port"], int) else target.ports.get(one["port"])
        if number == port and one.get("protocol", "TCP") == protocol:
            return True
    return False


def _allowed(policies, direction, subject, other, target, port, protocol, namespace):
    """Whether `subject` may, in this direction, have to do with `other`."""
    if subject.namespace != namespace:
        return True  # ours say nothing of Pods elsewhere
    field, peers = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    isolated = False
    for policy in policies:
        spec = policy["spec"]
        if direction not in spec["policyTypes"]:
            continue
        if not _matches(spec["podSelector"], subject.labels):
            continue
        isolated = True
        for rule in spec.get(field, []):
            if (_allows_peer(rule.get(peers), other, namespace) and
                    _allows_port(rule.get("ports"), target, port, protocol)):
                return True
    return not isolated


def reaches(policies, namespace, source, target, port, protocol="TCP"):
    """Whether a connection from `source` to a port of `target` is let through on both sides."""
    return (_allowed(policies, "Egress", source, target, target, port, protocol, namespace) and
            _allowed(policies, "Ingress", target, source, target, port, protocol, namespace))
