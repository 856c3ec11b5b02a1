"""Code concerned with the settings: environment variables `ARTERIAL_*`, or an `arterial.toml`, each with a meaning.

A secret `ARTERIAL_X` can also be given as `ARTERIAL_X_FILE`, the path of a file that holds it. One file for each group of settings;
`whole.py` puts them together, `loading.py` reads them.
"""

from services.settings.addresses import without_user
from services.settings.database import Role
from services.settings.ingest import Route
from services.settings.loading import ENDPOINTS_FILE, load_settings
from services.settings.secret_files import PREFIX
from services.settings.whole import Settings

__all__ = ["ENDPOINTS_FILE", "PREFIX", "Role", "Route", "Settings", "load_settings", "without_user"]
