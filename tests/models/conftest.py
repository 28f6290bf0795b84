import pytest
import torch
from mmengine.registry import DefaultScope


@pytest.fixture(autouse=True)
def scope_and_seed():
    """Every test builds in our scope and starts from the same random state."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        yield
