"""Settings: where they come from, which wins, and what is said when they do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from abaci.backend.config import OpenAIConfig, ScriptedConfig, VllmConfig
from abaci.errors import SettingsError
from abaci.sandbox.config import LandlockConfig
from abaci.settings import BUNDLED_MODEL, Settings
from abaci.traces.config import RedisTraceConfig


@pytest.fixture(autouse=True)
def _own_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch()
    monkeypatch.setenv("ABACI_CONFIG", str(tmp_path / "config.toml"))


def test_without_any_choice_the_bundled_model_is_used() -> None:
    settings = Settings.load()
    backend = settings.choose_backend()
    assert settings.is_bundled_model_used
    assert isinstance(backend, VllmConfig)
    assert backend.model == str(BUNDLED_MODEL)


def test_a_model_alone_means_vllm() -> None:
    settings = Settings.load(model="/models/some")
    assert settings.choose_backend() == VllmConfig(model="/models/some")
    assert not settings.is_bundled_model_used


def test_a_server_with_a_model_means_openai() -> None:
    backend = Settings.load(server="http://127.0.0.1:8000/v1", model="some").choose_backend()
    assert backend == OpenAIConfig(base_url="http://127.0.0.1:8000/v1", model="some")


def test_a_server_without_a_model_is_refused() -> None:
    with pytest.raises(SettingsError, match="which model"):
        Settings.load(server="http://127.0.0.1:8000/v1").choose_backend()


@pytest.mark.parametrize("server", ["127.0.0.1:8000", "localhost/v1", ""])
def test_a_server_without_a_scheme_is_refused_with_an_example(server: str) -> None:
    with pytest.raises(SettingsError, match=r"server: .* starts with http:// or https://, as in http://127"):
        Settings.load(server=server, model="some")


def test_an_empty_model_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"model: .*at least 1 character"):
        Settings.load(model="")


def test_a_part_without_its_kind_says_how_to_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABACI_TRACES__PATH", "/tmp/traces.db")
    with pytest.raises(SettingsError, match=r"traces: say which kind it is, .* ABACI_TRACES__KIND"):
        Settings.load()


def test_a_whole_backend_excludes_the_short_forms() -> None:
    settings = Settings.load(backend=ScriptedConfig(replies=("x",)), model="some")
    with pytest.raises(SettingsError, match="leave out"):
        settings.choose_backend()


def test_the_environment_reaches_nested_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABACI_SANDBOX__KIND", "landlock")
    monkeypatch.setenv("ABACI_TRACES__KIND", "redis")
    monkeypatch.setenv("ABACI_SOLVE__BUDGET__SAMPLES", "3")
    settings = Settings.load()
    assert isinstance(settings.sandbox, LandlockConfig)
    assert isinstance(settings.traces, RedisTraceConfig)
    assert settings.solve.budget.samples == 3


def test_arguments_win_over_the_environment_and_the_environment_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text('model = "file"\nmax_chains = 7\n', encoding="utf-8")
    assert Settings.load().model == "file"
    monkeypatch.setenv("ABACI_MODEL", "environment")
    assert Settings.load().model == "environment"
    assert Settings.load(model="argument").model == "argument"
    assert Settings.load().max_chains == 7


def test_a_value_that_does_not_fit_is_named_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABACI_MAX_CHAINS", "many")
    with pytest.raises(SettingsError, match=r"max_chains.*config\.toml"):
        Settings.load()


def test_a_misspelt_setting_in_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('modell = "x"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match="modell"):
        Settings.load()


def test_a_file_that_is_no_toml_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("model = \n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"config\.toml"):
        Settings.load()


def test_a_configuration_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABACI_CONFIG", "/nowhere/config.toml")
    with pytest.raises(SettingsError, match=r"ABACI_CONFIG names /nowhere/config\.toml, which is not there"):
        Settings.load()


def test_a_misspelt_variable_is_pointed_out(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("ABACI_MODLE", "some")
    monkeypatch.setenv("ABACI_WAIVE_DOCKER", "1")
    Settings.load()
    assert [record.getMessage() for record in caplog.records] == [
        "ABACI_MODLE is no setting and is ignored: is ABACI_MODEL meant?"
    ]
