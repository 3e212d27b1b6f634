"""Comments on CodeCommit through boto3, against a server in its place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lambda_dyno.aws.accounts import Session
from lambda_dyno.forge.codecommit import CodeCommitComments, connect
from lambda_dyno.forge.comments import ForgeError, upsert
from lambda_dyno.review.comment import compose, marker
from lambda_dyno.review.comment_parts import CODECOMMIT, Review
from lambda_dyno.review.plan_summary import Change, Plan
from tests.support import codecommit_server
from tests.support import report_samples as samples
from tests.support.codecommit_server import PULL, REPOSITORY, THEM, CodeCommit

MARKER = marker(CODECOMMIT, "gate")
BODY = f"{MARKER}\nAll is well."


@pytest.fixture
def server() -> Iterator[CodeCommit]:
    """CodeCommit's place."""
    with codecommit_server.running() as running:
        yield running


@pytest.fixture
def comments(server: CodeCommit) -> CodeCommitComments:
    """The comments of the pull request."""
    session = Session(
        endpoint_url=server.url,
        aws_access_key_id="AKIATEST",
        # pragma: allowlist nextline secret: no one's
        aws_secret_access_key="secret",
        region_name="eu-west-1",
    )
    return CodeCommitComments(connect(session), PULL)


def test_one_comment_is_created_and_then_updated(
    server: CodeCommit, comments: CodeCommitComments
) -> None:
    """Repository and commits come from the pull request; the marker is found on page 3."""
    for number in range(4):
        server.add(f"talk {number}")
    assert upsert(comments, BODY, MARKER).action == "created"
    assert upsert(comments, BODY + " Still.", MARKER).action == "updated"
    assert [comment["content"] for comment in server.comments[4:]] == [BODY + " Still."]
    assert server.operations == [
        "GetCommentsForPullRequest",
        "GetCommentsForPullRequest",
        "GetPullRequest",
        "PostCommentForPullRequest",
        "GetCommentsForPullRequest",
        "GetCommentsForPullRequest",
        "GetCommentsForPullRequest",
        "UpdateComment",
    ]


def test_somebody_elses_marker_is_passed_by(
    server: CodeCommit, comments: CodeCommitComments
) -> None:
    """CodeCommit lets only the author change a comment; ours is updated ever after."""
    theirs = server.add(f"{MARKER}\nAll SLOs are met!", THEM)
    assert upsert(comments, BODY, MARKER).action == "created"
    assert upsert(comments, BODY + " Still.", MARKER).action == "updated"
    assert theirs["content"].endswith("All SLOs are met!")
    assert len(server.comments) == 2


def test_a_missing_permission_is_named(server: CodeCommit, comments: CodeCommitComments) -> None:
    """By IAM's name of the action."""
    server.faults.append((400, "AccessDeniedException"))
    with pytest.raises(ForgeError, match="credentials lack codecommit:GetCommentsForPullRequest"):
        upsert(comments, BODY, MARKER)


def test_another_repository_is_refused(server: CodeCommit, comments: CodeCommitComments) -> None:
    """A pull request is of one."""
    wrong = CodeCommitComments(comments.client, PULL, "other")
    with pytest.raises(ForgeError, match=f"is of {REPOSITORY}, not of other"):
        upsert(wrong, BODY, MARKER)


def test_the_longest_review_fits(server: CodeCommit, comments: CodeCommitComments) -> None:
    """A plan of 300 resources is more than 10,240 characters can hold; whole sections go."""
    changes = tuple(
        Change("create", f"module.shop.aws_s3_object.page[{number}]", "") for number in range(300)
    )
    review = Review(samples.run(tuning=samples.many_sizes()), plan=Plan(changes))
    made = compose(review, CODECOMMIT)
    assert made.left_out == ("Terraform's other changes",)
    assert upsert(comments, made.text, MARKER).action == "created"
    assert "Resources: 300 created." in server.comments[0]["content"]
    assert "Left out here for its length: Terraform's other ch" in server.comments[0]["content"]
