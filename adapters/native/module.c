/* s3duct.adapters.native._hashing: the kernels for Python, within its stable ABI of 3.11. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "hashing.h"

#include <stdatomic.h>
#include <string.h>

/* Below that, letting others run costs more than hashing (hashlib's limit). */
#define RELEASE_FROM_BYTES 2048

typedef struct {
    const char *name;
    const hash_kernel *(*kernel_at)(unsigned n);
    void (*begin)(hash_message *);
    void (*digest)(const hash_kernel *, const hash_message *, uint8_t *);
    _Atomic(const hash_kernel *) selected; /* NULL: there is none for this processor */
} algorithm;

enum { SHA256, SHA3_256, ALGORITHMS };

static algorithm algorithms[ALGORITHMS] = {
    {"sha256", sha256_kernel, sha256_begin, sha256_digest, NULL},
    {"sha3_256", sha3_kernel, sha3_begin, sha3_digest, NULL},
};

/* ---- lanes */

typedef struct {
    PyObject_HEAD
    algorithm *algorithm;
    atomic_flag in_use; /* by a thread that does not hold the interpreter's lock meanwhile */
    hash_message message;
} Lane;

typedef struct {
    PyTypeObject *lane_type;
} module_state;

static int claim(Lane *lane)
{
    if (!atomic_flag_test_and_set_explicit(&lane->in_use, memory_order_acquire))
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "the lane is in use: one call at a time, and once in a call");
    return -1;
}

static void let_go(Lane *lane)
{
    atomic_flag_clear_explicit(&lane->in_use, memory_order_release);
}

static PyObject *begin(PyObject *module, int which)
{
    module_state *state = PyModule_GetState(module);
    algorithm *wanted = &algorithms[which];
    if (atomic_load(&wanted->selected) == NULL)
        return PyErr_Format(PyExc_NotImplementedError, "this processor has nothing for %s", wanted->name);
    allocfunc allocate = (allocfunc)PyType_GetSlot(state->lane_type, Py_tp_alloc);
    Lane *lane = (Lane *)allocate(state->lane_type, 0);
    if (lane == NULL)
        return NULL;
    lane->algorithm = wanted;
    atomic_flag_clear(&lane->in_use);
    wanted->begin(&lane->message);
    return (PyObject *)lane;
}

static PyObject *begin_sha256(PyObject *module, PyObject *unused)
{
    (void)unused;
    return begin(module, SHA256);
}

static PyObject *begin_sha3_256(PyObject *module, PyObject *unused)
{
    (void)unused;
    return begin(module, SHA3_256);
}

static void lane_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* ---- updates: the lanes are claimed and the buffers held before anything runs, so that nothing is half done */

typedef struct {
    Lane *lane;
    Py_buffer piece;
} claimed;

static void run(const claimed *all, hash_job *jobs, Py_ssize_t count)
{
    for (int which = 0; which < ALGORITHMS; which++) {
        size_t chosen = 0;
        for (Py_ssize_t i = 0; i < count; i++)
            if (all[i].lane->algorithm == &algorithms[which]) {
                hash_job job = {&all[i].lane->message, all[i].piece.buf, (size_t)all[i].piece.len};
                jobs[chosen++] = job;
            }
        if (chosen > 0)
            hash_together(atomic_load(&algorithms[which].selected), jobs, chosen);
    }
}

static void run_and_release(claimed *all, hash_job *jobs, Py_ssize_t count)
{
    Py_ssize_t total = 0;
    for (Py_ssize_t i = 0; i < count; i++)
        total = all[i].piece.len > RELEASE_FROM_BYTES - total ? RELEASE_FROM_BYTES : total + all[i].piece.len;
    if (total < RELEASE_FROM_BYTES) {
        run(all, jobs, count);
    } else {
        Py_BEGIN_ALLOW_THREADS
        run(all, jobs, count);
        Py_END_ALLOW_THREADS
    }
}

static void undo(claimed *all, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        PyBuffer_Release(&all[i].piece);
        let_go(all[i].lane);
    }
}

static int take(claimed *one, Lane *lane, PyObject *piece)
{
    if (claim(lane) < 0)
        return -1;
    one->lane = lane;
    if (PyObject_GetBuffer(piece, &one->piece, PyBUF_SIMPLE) < 0) {
        let_go(lane);
        return -1;
    }
    return 0;
}

static PyObject *lane_update(PyObject *self, PyObject *piece)
{
    claimed one;
    hash_job job;
    if (take(&one, (Lane *)self, piece) < 0)
        return NULL;
    run_and_release(&one, &job, 1);
    undo(&one, 1);
    Py_RETURN_NONE;
}

static int take_all(claimed *all, PyTypeObject *lane_type, PyObject *lanes, PyObject *pieces, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *lane = PyTuple_GetItem(lanes, i);
        if (!PyObject_TypeCheck(lane, lane_type)) {
            PyErr_SetString(PyExc_TypeError, "lanes of this module are wanted");
            undo(all, i);
            return -1;
        }
        if (take(&all[i], (Lane *)lane, PyTuple_GetItem(pieces, i)) < 0) {
            undo(all, i);
            return -1;
        }
    }
    return 0;
}

static PyObject *update_tuples(PyTypeObject *lane_type, PyObject *lanes, PyObject *pieces)
{
    Py_ssize_t count = PyTuple_Size(lanes);
    if (count != PyTuple_Size(pieces)) {
        PyErr_SetString(PyExc_ValueError, "as many pieces as lanes are wanted");
        return NULL;
    }
    claimed *all = PyMem_Calloc((size_t)count + 1, sizeof *all);
    hash_job *jobs = PyMem_Calloc((size_t)count + 1, sizeof *jobs);
    PyObject *result = NULL;
    if (all == NULL || jobs == NULL) {
        PyErr_NoMemory();
    } else if (take_all(all, lane_type, lanes, pieces, count) == 0) {
        run_and_release(all, jobs, count);
        undo(all, count);
        result = Py_NewRef(Py_None);
    }
    PyMem_Free(jobs);
    PyMem_Free(all);
    return result;
}

static PyObject *update_together(PyObject *module, PyObject *args)
{
    PyObject *lanes, *pieces, *result = NULL;
    if (!PyArg_ParseTuple(args, "OO:update_together", &lanes, &pieces))
        return NULL;
    /* Tuples of our own: what was given may be changed by others while the lock is released. */
    lanes = PySequence_Tuple(lanes);
    pieces = lanes == NULL ? NULL : PySequence_Tuple(pieces);
    if (pieces != NULL)
        result = update_tuples(((module_state *)PyModule_GetState(module))->lane_type, lanes, pieces);
    Py_XDECREF(pieces);
    Py_XDECREF(lanes);
    return result;
}

static PyObject *lane_digest(PyObject *self, PyObject *unused)
{
    Lane *lane = (Lane *)self;
    uint8_t digest[DIGEST_BYTES];
    (void)unused;
    if (claim(lane) < 0)
        return NULL;
    lane->algorithm->digest(atomic_load(&lane->algorithm->selected), &lane->message, digest);
    let_go(lane);
    return PyBytes_FromStringAndSize((const char *)digest, DIGEST_BYTES);
}

/* ---- the choice of a kernel */

static algorithm *algorithm_named(const char *name)
{
    for (int which = 0; which < ALGORITHMS; which++)
        if (strcmp(algorithms[which].name, name) == 0)
            return &algorithms[which];
    PyErr_Format(PyExc_ValueError, "no algorithm %s", name);
    return NULL;
}

/* (name, how many at once) of each kernel that can be selected. */
static PyObject *kernels(PyObject *module, PyObject *args)
{
    const char *name;
    const hash_kernel *kernel;
    (void)module;
    if (!PyArg_ParseTuple(args, "s:kernels", &name))
        return NULL;
    algorithm *wanted = algorithm_named(name);
    PyObject *list = wanted == NULL ? NULL : PyList_New(0);
    for (unsigned n = 0; list != NULL && (kernel = wanted->kernel_at(n)) != NULL; n++) {
        PyObject *pair = Py_BuildValue("(sI)", kernel->name, kernel->width);
        if (pair == NULL || PyList_Append(list, pair) < 0)
            Py_CLEAR(list);
        Py_XDECREF(pair);
    }
    return list;
}

static PyObject *select_kernel(PyObject *module, PyObject *args)
{
    const char *name, *kernel_name;
    const hash_kernel *kernel;
    (void)module;
    if (!PyArg_ParseTuple(args, "ss:select", &name, &kernel_name))
        return NULL;
    algorithm *wanted = algorithm_named(name);
    if (wanted == NULL)
        return NULL;
    for (unsigned n = 0; (kernel = wanted->kernel_at(n)) != NULL; n++)
        if (strcmp(kernel->name, kernel_name) == 0) {
            atomic_store(&wanted->selected, kernel);
            Py_RETURN_NONE;
        }
    return PyErr_Format(PyExc_ValueError, "this processor has no %s for %s", kernel_name, name);
}

/* ---- the module */

static PyMethodDef lane_methods[] = {
    {"update", lane_update, METH_O, "Take in the next bytes."},
    {"digest", lane_digest, METH_NOARGS, "Return the digest of everything so far."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot lane_slots[] = {
    {Py_tp_doc, "One running digest."},
    {Py_tp_dealloc, lane_dealloc},
    {Py_tp_methods, lane_methods},
    {0, NULL},
};

static PyType_Spec lane_spec = {
    .name = "s3duct.adapters.native._hashing.Lane",
    .basicsize = sizeof(Lane),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = lane_slots,
};

static int module_exec(PyObject *module)
{
    module_state *state = PyModule_GetState(module);
    for (int which = 0; which < ALGORITHMS; which++)
        atomic_store(&algorithms[which].selected, algorithms[which].kernel_at(0));
    state->lane_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &lane_spec, NULL);
    return state->lane_type == NULL ? -1 : PyModule_AddType(module, state->lane_type);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    module_state *state = PyModule_GetState(module);
    Py_VISIT(state->lane_type);
    return 0;
}

static int module_clear(PyObject *module)
{
    module_state *state = PyModule_GetState(module);
    Py_CLEAR(state->lane_type);
    return 0;
}

static PyMethodDef module_methods[] = {
    {"sha256", begin_sha256, METH_NOARGS, "Start a SHA-256."},
    {"sha3_256", begin_sha3_256, METH_NOARGS, "Start a SHA3-256."},
    {"update_together", update_together, METH_VARARGS, "Take the next bytes into several lanes, side by side."},
    {"kernels", kernels, METH_VARARGS, "List what this processor can compute an algorithm with, the fastest first."},
    {"select", select_kernel, METH_VARARGS, "Compute an algorithm with one of `kernels` from now on."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "s3duct.adapters.native._hashing",
    .m_doc = "SHA-256 and SHA3-256 of several messages at once on one core.",
    .m_size = sizeof(module_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__hashing(void)
{
    return PyModuleDef_Init(&definition);
}
