"""Labels that come late, with both clients and from the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from senet_client import Label, feedback_command
from senet_client.errors import FeedbackConflict, FeedbackNotFound, InvalidArgument
from senet_client.score.command import application
from tests.conftest import Surface
from tests.fake_service import FakeService, listening, url_of

feedback_command.add_commands(application)


def test_each_label_has_its_result(client: Surface) -> None:
    results = client.feedback([Label("a", 0, 1), Label("a", 1, 2), Label("b", 0, 9)])
    assert results[:2] == [True, False]
    assert isinstance(results[2], FeedbackConflict)
    assert "it has a label" in str(results[2])


def test_a_single_label_that_fails_is_a_result_too(client: Surface) -> None:
    [result] = client.feedback([Label("a", 0, 9)])
    assert isinstance(result, FeedbackConflict)


def test_many_labels_take_several_requests(client: Surface, service: FakeService) -> None:
    assert client.feedback(Label("a", index, 1) for index in range(2001)) == [True] * 2001
    assert [path for path, _, _ in service.requests] == ["/feedback"] * 3


def test_the_last_of_many_labels_may_be_unknown(client: Surface) -> None:
    labels = [Label("a", index, 1) for index in range(1000)]
    *accepted, last = client.feedback([*labels, Label("b", 0, 3)])
    assert accepted == [True] * 1000
    assert isinstance(last, FeedbackNotFound)
    with pytest.raises(FeedbackNotFound):
        client.feedback([Label("b", 0, 3)])


@pytest.mark.parametrize(
    "label", [Label("", 0, 1), Label("a", -1, 1), Label("a", 0, -1), Label("a", True, 1)]
)
def test_what_is_no_label_is_refused_unsent(
    client: Surface, service: FakeService, label: Label
) -> None:
    with pytest.raises(InvalidArgument):
        client.feedback([label])
    assert service.requests == []


@pytest.fixture
def command(tmp_path: Path, service: FakeService) -> Callable[[str], tuple[int, str]]:
    """Sends a CSV file; tells the exit code and the output."""

    def run(text: str) -> tuple[int, str]:
        file = tmp_path / "labels.csv"
        file.write_text(text)
        with listening(service) as server:
            arguments = ["feedback", str(file), "--url", url_of(server)]
            result = CliRunner().invoke(application, arguments)
        return result.exit_code, result.output

    return run


def test_a_file_of_labels(command: Callable[[str], tuple[int, str]]) -> None:
    code, output = command("request_id,index,class_index,who\na,0,1,me\na,1,2,me\n")
    assert code == 0
    assert "2 of 2 labels accepted; 1 answers were right" in output


def test_labels_that_are_not_accepted_are_named(command: Callable[[str], tuple[int, str]]) -> None:
    code, output = command("class_index,index,request_id\n1,0,a\n9,0,b\n")
    assert code == 1
    assert "1 of 2 labels accepted" in output
    assert "b, image 0" in output


@pytest.mark.parametrize(
    "text",
    [
        "",
        "request_id,index\na,0\n",
        "request_id,index,class_index\na,0\n",
        "request_id,index,class_index\na,x,1\n",
    ],
)
def test_a_file_that_is_none_is_refused(
    command: Callable[[str], tuple[int, str]], service: FakeService, text: str
) -> None:
    code, _ = command(text)
    assert code == 2
    assert service.requests == []
