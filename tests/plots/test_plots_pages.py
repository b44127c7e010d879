import plotly.graph_objects as go
import pytest

from gaia_explore import plots


def figure():
    return go.Figure(go.Scatter(x=[1, 2], y=[3, 4], name="a line to find"))


def test_page_holds_its_script_and_needs_no_network(tmp_path):
    plots.write_html(figure(), tmp_path / "new" / "page.html")
    page = (tmp_path / "new" / "page.html").read_text()
    assert "a line to find" in page
    assert len(page) > 1_000_000
    assert "<script src=" not in page and "<link" not in page.split("<script", 1)[0]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["page.html"]


def test_pages_of_a_folder_share_the_script_beside_them(tmp_path):
    for name in ("one.html", "two.html"):
        plots.write_html(figure(), str(tmp_path / name), script="beside")
        assert (tmp_path / name).stat().st_size < 20_000
        assert 'src="plotly.min.js"' in (tmp_path / name).read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.html", "plotly.min.js", "two.html"]
    assert "plotly.js v" in (tmp_path / "plotly.min.js").read_text()[:500]


def test_script_is_checked(tmp_path):
    with pytest.raises(ValueError, match=r"^script must be 'inside' or 'beside', got 'cdn'$"):
        plots.write_html(figure(), tmp_path / "page.html", script="cdn")
    assert not list(tmp_path.iterdir())
