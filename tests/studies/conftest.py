from tests.experiment.conftest import hospitals as hospitals
