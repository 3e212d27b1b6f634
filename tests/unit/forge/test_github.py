"""Comments and pull requests on GitHub, against a server in its place."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.forge.comments import ForgeError, upsert
from lambda_dyno.forge.github import GitHubComments, GitHubPulls
from lambda_dyno.forge.rest_api import ForgeApi
from lambda_dyno.forge.retry import RetryBudget
from tests.support import github_server
from tests.support.github_server import PULL, REPOSITORY, TOKEN, Fault, GitHub
from tests.support.waiting import HANGS_S

MARKER = "<!-- lambda-dyno review: gate -->"
BODY = f"{MARKER}\nAll is well."


class Waits:
    """A budget that notes how long it would sleep."""

    def __init__(self, **limits: float) -> None:
        self.slept: list[float] = []
        self.budget = RetryBudget(
            attempts=int(limits.get("attempts", 5)),
            max_wait_s=limits.get("max_wait_s", 120.0),
            sleep=self.slept.append,
            jitter=lambda: 1.0,
        )


@pytest.fixture
def server() -> Iterator[GitHub]:
    """GitHub's place; at the end it has nothing to complain of."""
    with github_server.running() as running:
        yield running
        assert running.complaints == []


@pytest.fixture
def waits() -> Waits:
    """How long the client waited."""
    return Waits()


@pytest.fixture
def comments(server: GitHub, waits: Waits) -> GitHubComments:
    """The comments of the pull request."""
    return GitHubComments(ForgeApi(server.url, TOKEN, waits.budget), REPOSITORY, PULL)


def test_the_first_comment_is_created(server: GitHub, comments: GitHubComments) -> None:
    """One list, one POST."""
    posted = upsert(comments, BODY, MARKER)
    assert posted.action == "created"
    assert posted.comment.url.endswith("#issuecomment-1000")
    assert [comment["body"] for comment in server.comments] == [BODY]
    assert server.requests == [
        ("GET", f"/repos/{REPOSITORY}/issues/{PULL}/comments?per_page=100"),
        ("POST", f"/repos/{REPOSITORY}/issues/{PULL}/comments"),
    ]


def test_the_next_one_updates_it_in_place(server: GitHub, comments: GitHubComments) -> None:
    """There is never a second one."""
    server.add_comment("Looks good!")
    upsert(comments, BODY, MARKER)
    posted = upsert(comments, BODY + " Still.", MARKER)
    assert posted.action == "updated"
    assert [comment["body"] for comment in server.comments] == ["Looks good!", BODY + " Still."]
    assert server.requests[-1] == ("PATCH", f"/repos/{REPOSITORY}/issues/comments/1001")


def test_the_marker_is_found_on_the_third_page(server: GitHub, comments: GitHubComments) -> None:
    """The listing is followed page by page, and no further than needed."""
    for number in range(250):
        server.add_comment(f"talk {number}")
    ours = server.add_comment(BODY)
    for number in range(100):
        server.add_comment(f"more talk {number}")
    posted = upsert(comments, BODY + " Again.", MARKER)
    assert posted.action == "updated"
    assert ours["body"] == BODY + " Again."
    assert server.methods() == ["GET", "GET", "GET", "PATCH"]


@pytest.mark.parametrize(
    ("association", "user", "action"),
    [
        pytest.param("NONE", {"login": "eve", "type": "User"}, "created", id="stranger"),
        pytest.param("CONTRIBUTOR", {"login": "eve", "type": "User"}, "created", id="contributor"),
        pytest.param("MEMBER", {"login": "ann", "type": "User"}, "updated", id="member's token"),
        pytest.param("NONE", github_server.BOT, "updated", id="bot"),
    ],
)
def test_a_copied_marker_captures_no_verdict(
    server: GitHub,
    comments: GitHubComments,
    association: str,
    user: dict[str, str],
    action: str,
) -> None:
    """What is in a stranger's comment, the stranger could rewrite afterwards."""
    theirs = server.add_comment(
        f"{MARKER}\nAll SLOs are met!", user, author_association=association
    )
    assert upsert(comments, BODY, MARKER).action == action
    assert (theirs["body"] == BODY) is (action == "updated")


def test_a_quoted_marker_is_not_ours(server: GitHub, comments: GitHubComments) -> None:
    """Only a comment that begins with it is."""
    quote = server.add_comment(f"> {MARKER}\n> All is well.\n\nIs it?")
    assert upsert(comments, BODY, MARKER).action == "created"
    assert quote["body"].endswith("Is it?")


def test_a_comment_deleted_meanwhile_is_made_again(
    server: GitHub, comments: GitHubComments
) -> None:
    """Somebody removed it between the listing and the update."""
    server.add_comment(BODY)
    server.faults.append(Fault(404, message="Not Found", method="PATCH"))
    assert upsert(comments, BODY, MARKER).action == "created"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_a_fault_that_passes_is_waited_for(
    server: GitHub, comments: GitHubComments, waits: Waits, status: int
) -> None:
    """With growing waits."""
    server.faults.append(Fault(status, times=3))
    assert upsert(comments, BODY, MARKER).action == "created"
    assert waits.slept == [1, 2, 4]


def test_a_fault_that_stays_ends_within_the_limits(
    server: GitHub, comments: GitHubComments, waits: Waits
) -> None:
    """It ends as one line, after so many attempts."""
    server.faults.append(Fault(503, times=1000))
    with pytest.raises(ForgeError, match="cannot be reached after 5 attempts: it answers 503"):
        upsert(comments, BODY, MARKER)
    assert waits.slept == [1, 2, 4, 8]
    assert server.comments == []


def test_all_waits_together_have_a_limit(server: GitHub) -> None:
    """However many requests need another attempt."""
    waits = Waits(max_wait_s=2.5)
    place = GitHubComments(ForgeApi(server.url, TOKEN, waits.budget), REPOSITORY, PULL)
    server.faults.append(Fault(500, times=1000))
    with pytest.raises(ForgeError, match="after 2 attempts"):
        upsert(place, BODY, MARKER)
    assert waits.slept == [1]


@pytest.mark.parametrize(
    "lost", [Fault(method="POST", after=True), Fault(502, method="POST", after=True)]
)
def test_a_lost_answer_makes_no_second_comment(
    server: GitHub, comments: GitHubComments, lost: Fault
) -> None:
    """Before a POST is repeated, what it may have made is looked for."""
    server.faults.append(lost)
    upsert(comments, BODY, MARKER)
    assert [comment["body"] for comment in server.comments] == [BODY]
    assert server.methods() == ["GET", "POST", "GET", "PATCH"]


def test_a_refused_connection_is_tried_again_and_then_told(waits: Waits) -> None:
    """Nothing listens there."""
    place = GitHubComments(ForgeApi("http://127.0.0.1:9", TOKEN, waits.budget), REPOSITORY, PULL)
    with pytest.raises(ForgeError, match="after 5 attempts: the connection is refused"):
        upsert(place, BODY, MARKER)
    assert len(waits.slept) == 4


@pytest.mark.parametrize(
    ("fault", "waited"),
    [
        pytest.param(Fault(429, {"Retry-After": "7"}, "slow down"), [7], id="retry-after"),
        pytest.param(Fault(403, {"Retry-After": "3"}, "secondary"), [3], id="403"),
        pytest.param(
            Fault(403, {}, "You have exceeded a secondary rate limit."), [60], id="no-time-named"
        ),
        pytest.param(Fault(429, {"Retry-After": "2"}, "wait", times=2), [2, 2], id="twice"),
        pytest.param(Fault(429, {"Retry-After": "\u00b2"}, "wait"), [60], id="no-digit"),
    ],
)
def test_a_rate_limit_is_waited_for(
    server: GitHub, comments: GitHubComments, waits: Waits, fault: Fault, waited: list[float]
) -> None:
    """As long as GitHub asks."""
    server.faults.append(fault)
    assert upsert(comments, BODY, MARKER).action == "created"
    assert waits.slept == waited


def test_a_reset_time_is_waited_for_by_the_servers_clock(
    server: GitHub, comments: GitHubComments, waits: Waits
) -> None:
    """X-RateLimit-Reset is seconds since 1970."""
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 20)}
    server.faults.append(Fault(403, headers, "API rate limit exceeded"))
    upsert(comments, BODY, MARKER)
    assert len(waits.slept) == 1
    assert 18 <= waits.slept[0] <= 22


def test_a_rate_limit_beyond_the_budget_is_given_up_at_once(
    server: GitHub, comments: GitHubComments, waits: Waits
) -> None:
    """An hour of waiting would cost more than the comment is worth."""
    server.faults.append(Fault(429, {"Retry-After": "3600"}, times=1000))
    with pytest.raises(
        ForgeError, match=r"rate limit is reached \(429\); it asks to wait for 3600 s"
    ):
        upsert(comments, BODY, MARKER)
    assert waits.slept == []
    assert server.methods() == ["GET"]


def test_a_server_that_does_not_answer_is_not_waited_for_for_ever(server: GitHub) -> None:
    """Each request has a deadline of its own."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:  # a busy machine takes longer than 50 ms for a good answer, too
            api.read_timeout_s = HANGS_S

    budget = RetryBudget(attempts=5, max_wait_s=120.0, sleep=sleep, jitter=lambda: 1.0)
    api = ForgeApi(server.url, TOKEN, budget)
    api.read_timeout_s = 0.05
    server.faults.append(Fault(delay_s=0.2, times=2))
    assert upsert(GitHubComments(api, REPOSITORY, PULL), BODY, MARKER).action == "created"
    assert slept == [1, 2]


def test_a_token_without_the_permission_is_told_which(
    server: GitHub, comments: GitHubComments, waits: Waits
) -> None:
    """It is no rate limit, so nothing is tried again."""
    server.faults.append(
        Fault(403, message="Resource not accessible by integration", method="POST", times=9)
    )
    with pytest.raises(ForgeError) as caught:
        upsert(comments, BODY, MARKER)
    assert str(caught.value) == (
        "cannot write a comment on pull request 7 of acme/shop: GITHUB_TOKEN lacks "
        "`pull-requests: write` (403): add it to the job's permissions "
        "(Resource not accessible by integration)"
    )
    assert waits.slept == []


def test_a_forks_token_is_told_apart(server: GitHub, waits: Waits) -> None:
    """No permission in the workflow would help there."""
    api = ForgeApi(server.url, TOKEN, waits.budget)
    place = GitHubComments(api, REPOSITORY, PULL, from_fork=True)
    server.faults.append(
        Fault(403, message="Resource not accessible by integration", method="POST")
    )
    with pytest.raises(ForgeError, match="pull requests from forks get a token that only reads"):
        upsert(place, BODY, MARKER)


def test_a_wrong_token_and_a_wrong_repository_are_one_line(server: GitHub, waits: Waits) -> None:
    """401 and 404 are final."""
    wrong = GitHubComments(ForgeApi(server.url, "ghs_wrong", waits.budget), REPOSITORY, PULL)
    with pytest.raises(ForgeError, match=r"GITHUB_TOKEN is refused \(401\)") as caught:
        upsert(wrong, BODY, MARKER)
    assert "ghs_wrong" not in str(caught.value)
    other = GitHubComments(ForgeApi(server.url, TOKEN, waits.budget), "acme/other", PULL)
    with pytest.raises(ForgeError, match=r"it is not there, or GITHUB_TOKEN lacks"):
        upsert(other, BODY, MARKER)
    assert waits.slept == []


def test_a_body_that_github_refuses_is_told_in_its_words(comments: GitHubComments) -> None:
    """Its message is in ours."""
    with pytest.raises(ForgeError, match=r"Body is too long \(maximum is 65536 characters\)"):
        comments.create(MARKER + "x" * 70_000, MARKER)


def test_a_repository_that_moved_is_followed_with_the_same_method(
    server: GitHub, waits: Waits
) -> None:
    """A POST stays a POST."""
    server.moved_from = "acme/old-shop"
    api = ForgeApi(server.url, TOKEN, waits.budget)
    assert upsert(GitHubComments(api, "acme/old-shop", PULL), BODY, MARKER).action == "created"
    assert [comment["body"] for comment in server.comments] == [BODY]


def test_the_token_goes_to_no_other_host(server: GitHub, comments: GitHubComments) -> None:
    """Neither by a redirect nor by a link to the next page."""
    with github_server.running() as elsewhere:
        server.faults.append(Fault(307, {"Location": f"{elsewhere.url}/repos/acme/shop"}))
        with pytest.raises(ForgeError, match="points to another host"):
            upsert(comments, BODY, MARKER)
        next_page = f'<{elsewhere.url}/page/2>; rel="next"'
        server.add_comment("talk")
        with pytest.raises(ForgeError, match="points to another host"):
            comments.api.request("GET", next_page.partition(">")[0].lstrip("<"))
        assert elsewhere.requests == []


@pytest.mark.parametrize("token", [TOKEN, ""])
def test_no_password_is_taken_from_the_home_folder(
    server: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    """What ~/.netrc says of the host is for other programs."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ann password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.hosted.append(github_server.Hosted())
    assert ForgeApi(server.url, token).request("GET", "repos/acme/tuning").status == 200


def test_the_token_is_in_no_representation(comments: GitHubComments) -> None:
    """Logs and tracebacks show objects."""
    assert TOKEN not in repr(comments)
    assert TOKEN not in repr(comments.api)


def test_the_token_is_not_sent_in_the_clear() -> None:
    """Plain HTTP is for this machine only."""
    with pytest.raises(UserError, match="must begin with https://"):
        ForgeApi("http://github.example.com/api/v3", TOKEN)


def test_a_pull_request_is_opened_once_and_then_renewed(server: GitHub, waits: Waits) -> None:
    """Each further proposal of the same branch is an update."""
    pulls = GitHubPulls(ForgeApi(server.url, TOKEN, waits.budget), REPOSITORY)
    first = pulls.open(head="dyno/memory-dev", base="main", title="one", body="first")
    second = pulls.open(head="dyno/memory-dev", base="main", title="two", body="second")
    assert (first.number, second.number) == (1, 1)
    assert server.methods() == ["GET", "POST", "GET", "PATCH"]
    assert [(pull["title"], pull["body"]) for pull in server.pulls] == [("two", "second")]


def test_a_lost_answer_opens_no_second_pull_request(server: GitHub, waits: Waits) -> None:
    """It is found again and brought up to date."""
    pulls = GitHubPulls(ForgeApi(server.url, TOKEN, waits.budget), REPOSITORY)
    server.faults.append(Fault(method="POST", after=True))
    opened = pulls.open(head="dyno/memory-dev", base="main", title="one", body="first")
    assert opened.number == 1
    assert len(server.pulls) == 1


def test_a_repository_that_forbids_it_names_the_setting(server: GitHub, waits: Waits) -> None:
    """GitHub Actions may open pull requests only if that is ticked."""
    pulls = GitHubPulls(ForgeApi(server.url, TOKEN, waits.budget), REPOSITORY)
    message = "GitHub Actions is not permitted to create or approve pull requests."
    server.faults.append(Fault(403, message=message, method="POST"))
    with pytest.raises(ForgeError, match="Settings, Actions, General"):
        pulls.open(head="dyno/memory-dev", base="main", title="one", body="first")
