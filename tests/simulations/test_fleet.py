from dataclasses import replace

import numpy as np
import pytest
from simulator_planned import fleet, jobs_of

from eapg_split.planner import resolve
from eapg_split.planner.policy import PlanView
from simulations.chain import Chains, ends_s
from simulations.fleet import CLOUD, DEVICE, EDGE, Planner, run


def test_a_fleet_that_stays_on_its_devices_is_a_plain_chain() -> None:
    many, coming = fleet(20), jobs_of(20, 400)
    steps = np.array(many.step_s[DEVICE])
    chains = Chains(
        servers=np.ones(20, np.int64),
        routes=np.repeat(np.arange(20)[:, None], len(steps), axis=1),
        arrives_s=coming.arrives_s,
        kind=coming.device,
        service_s=coming.draws[:, : len(steps)] * steps,
    )
    ends = run(many, coming, resolve("device-only"))
    assert ends.ends_s == pytest.approx(ends_s(chains), rel=1e-12)
    assert ends.routes == {(DEVICE,) * 4: 400}


def test_who_plans_leaves_full_nodes_alone_and_is_faster_for_it() -> None:
    crowded = replace(fleet(100), cloud_servers=1)
    coming = jobs_of(100, 500)
    wise, blind = (run(crowded, coming, resolve(name)) for name in ("dp-adaptive", "cloud-only"))
    means = [(each.ends_s - coming.arrives_s).mean() for each in (wise, blind)]
    assert means[0] < means[1] / 2
    assert {EDGE in route for route in wise.routes} == {True, False}
    assert all(CLOUD in route for route in blind.routes)


def test_a_view_is_asked_about_once_and_remembered_as_it_was_answered() -> None:
    asked = list[PlanView]()

    class Noting:
        name = "noting"

        def plan(self, view: PlanView):  # type: ignore[no-untyped-def]
            asked.append(view)
            return resolve("dp-adaptive").plan(view)

    planner = Planner(fleet(10), Noting())
    queues = [(0, 0, 0), (0, 8, 0), (0, 0, 400), (0, 8, 0), (0, 0, 0)]
    routes = [planner.route(each) for each in queues]
    assert (len(asked), planner.views) == (3, 3)
    assert routes == [Planner(fleet(10), resolve("dp-adaptive")).route(each) for each in queues]
