"""Answers questions by cedarpy, which nobody here wrote, of policies, bindings and questions as JSON on standard input.

Bindings are read by comparing everybody with each of them, as the file tells it, not as the access crate looks them up.
"""

import json
import re
import sys

import cedarpy

TYPES = {"users": "User", "serviceAccounts": "ServiceAccount", "services": "Service", "groups": "Group"}


def uid(of, name):
    return {"type": of, "id": name}


def somebody(name):
    return uid(TYPES[name.split("/")[0]], name)


def is_like(name, pattern, between):
    """Whether a name is what a pattern says, in which a `*` is anything that has no `between` in it."""
    rest = "[^/]+" if between else ".*"
    return re.fullmatch(rest.join(map(re.escape, pattern.split("*"))), name) is not None


def entities_of(world, who, workspace, product):
    members = [who["principal"], *who["groups"]]
    parents = [somebody(group) for group in who["groups"]]
    audiences = []
    for binding in world["bindings"] if workspace else []:
        if not any(is_like(member, pattern, True) for member in members for pattern in binding["members"]):
            continue
        if not any(is_like(workspace, pattern, False) for pattern in binding["workspaces"]):
            continue
        if "role" in binding:
            parents.append(uid("Role", binding["role"]))
        else:
            name = f"workspaces/{workspace}/audiences/{binding['audience']}"
            audiences.append(name)
            parents.append(uid("Audience", name))
    everything = [{"uid": somebody(who["principal"]), "attrs": {}, "parents": parents}]
    for name, groups in world["actions"].items():
        everything.append({"uid": uid("Action", name), "attrs": {}, "parents": [uid("Action", group) for group in groups]})
    if product:
        parent = uid("Workspace", f"workspaces/{workspace}")
        everything.append({"uid": uid("Product", product), "attrs": {}, "parents": [parent]})
    return everything, audiences


def ask(world, questions):
    first = questions[0]
    who, workspace, product = first["who"], first["workspace"], first["product"]
    entities, audiences = entities_of(world, who, workspace, product)
    if product:
        resource = f"Product::{json.dumps(product)}"
    elif workspace:
        resource = f'Workspace::"workspaces/{workspace}"'
    else:
        resource = 'Installation::"waymark"'
    principal = somebody(who["principal"])
    requests, asked = [], []
    decided = {}
    for question in questions:
        if (question["audience"] or "").rpartition("/")[0] not in ("", f"workspaces/{workspace}/audiences"):
            decided[question["number"]] = {"allowed": False, "audience": None, "policies": []}
            continue
        tried = [question["audience"]] if question["audience"] else [None, *audiences]
        for audience in tried:
            context = {
                "groups": [{"__entity": somebody(group)} for group in who["groups"]],
                "certificate": question["certificate"],
                "validate_only": question["validate_only"],
            }
            if audience:
                context["audience"] = {"__entity": uid("Audience", audience)}
            requests.append(
                {
                    "principal": f"{principal['type']}::{json.dumps(principal['id'])}",
                    "action": f"Action::{json.dumps(question['action'])}",
                    "resource": resource,
                    "context": context,
                }
            )
            asked.append((question, audience))
    answers = cedarpy.is_authorized_batch(requests, world["policies"], entities)
    ids = re.findall(r'@id\("([^"]+)"\)', world["policies"])
    for (question, audience), answer in zip(asked, answers, strict=True):
        assert not answer.diagnostics.errors, answer.diagnostics.errors
        allowed = answer.decision == cedarpy.Decision.Allow
        by = sorted(ids[int(reason.removeprefix("policy"))] for reason in answer.diagnostics.reasons)
        known = decided.get(question["number"])
        if known is None or (allowed and not known["allowed"]):
            decided[question["number"]] = {"allowed": allowed, "audience": audience if allowed else None, "policies": by}
    return decided


answers = []
for world in json.load(sys.stdin):
    together = {}
    for number, question in enumerate(world["questions"]):
        question["number"] = number
        key = json.dumps([question["who"], question["workspace"], question["product"]])
        together.setdefault(key, []).append(question)
    decided = {}
    for questions in together.values():
        decided |= ask(world, questions)
    answers.append([decided[number] for number in range(len(world["questions"]))])
json.dump(answers, sys.stdout)
