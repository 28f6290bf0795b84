"""avgn_mm's registries: children of MMAction2's of the same name, in the scope ``avgn_mm``.

A config that says ``default_scope = 'avgn_mm'`` therefore finds our modules, MMAction2's and
MMEngine's by their bare names and needs no ``custom_imports``: MMEngine imports this file by its
scope, and the registries import their ``locations`` on the first look-up. Every registry of
MMAction2 is mirrored, because MMEngine warns in each run about one that a scope lacks.
"""

from mmaction import registry as mmaction
from mmengine.registry import Registry

from . import compat

# `mmaction.models` cannot be imported before this, and MMEngine's loaders are replaced by it.
compat.apply()


def _child(parent: Registry, *locations: str) -> Registry:
    """Make the ``avgn_mm`` child of one of MMAction2's registries.

    Parents are searched without being imported, so MMAction2's modules come first in the
    locations that the child imports. A registry with no location at all would warn, too.
    """
    return Registry(parent.name, parent=parent, scope='avgn_mm',
                    locations=list(locations) or ['mmaction.registry'])


RUNNERS = _child(mmaction.RUNNERS)
RUNNER_CONSTRUCTORS = _child(mmaction.RUNNER_CONSTRUCTORS)
LOOPS = _child(mmaction.LOOPS, 'mmaction.engine', 'avgn_mm.engine')
HOOKS = _child(mmaction.HOOKS, 'mmaction.engine', 'avgn_mm.engine')
DATASETS = _child(mmaction.DATASETS, 'mmaction.datasets', 'avgn_mm.datasets')
DATA_SAMPLERS = _child(mmaction.DATA_SAMPLERS, 'mmaction.datasets')
TRANSFORMS = _child(mmaction.TRANSFORMS, 'mmaction.datasets', 'avgn_mm.datasets')
MODELS = _child(mmaction.MODELS, 'mmaction.models', 'avgn_mm.models')
MODEL_WRAPPERS = _child(mmaction.MODEL_WRAPPERS)
WEIGHT_INITIALIZERS = _child(mmaction.WEIGHT_INITIALIZERS)
OPTIMIZERS = _child(mmaction.OPTIMIZERS)
OPTIM_WRAPPERS = _child(mmaction.OPTIM_WRAPPERS)
OPTIM_WRAPPER_CONSTRUCTORS = _child(mmaction.OPTIM_WRAPPER_CONSTRUCTORS, 'mmaction.engine')
PARAM_SCHEDULERS = _child(mmaction.PARAM_SCHEDULERS)
METRICS = _child(mmaction.METRICS, 'mmaction.evaluation', 'avgn_mm.evaluation')
EVALUATOR = _child(mmaction.EVALUATOR)
TASK_UTILS = _child(mmaction.TASK_UTILS)
VISUALIZERS = _child(mmaction.VISUALIZERS, 'mmaction.visualization', 'avgn_mm.visualization')
VISBACKENDS = _child(mmaction.VISBACKENDS, 'mmaction.visualization')
LOG_PROCESSORS = _child(mmaction.LOG_PROCESSORS)
INFERENCERS = _child(mmaction.INFERENCERS, 'mmaction.apis')
FUNCTION = _child(mmaction.FUNCTION)
TOKENIZER = _child(mmaction.TOKENIZER)
