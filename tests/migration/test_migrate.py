from services.settings import Settings
from services.storage.database import Connection
from services.storage.migrate import available, migrate, version_of


def test_a_second_migration_changes_nothing(settings: Settings, owner: Connection) -> None:
    again = migrate(settings)

    assert again.applied == ()
    assert version_of(owner) == len(available())
