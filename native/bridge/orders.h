/* orders.h — the order of sets of new objects is chosen: see orders.c. */
#ifndef SSB_ORDERS_H
#define SSB_ORDERS_H

#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

/* As CPython has it; checked where handlers are registered. */
typedef struct ssbf_set_iterator {
    PyObject_HEAD
    PySetObject *set;
    Py_ssize_t used, position, left;
} ssbf_set_iterator;

/* -1: sets work differently here, and none is given an order. */
int ssbf_orders_install(void);

int ssbf_has_order(const PySetObject *s);
int ssbf_order_is_open(PySetObject *s);           /* may it be walked in any order? */
int ssbf_order_is_complete(const PySetObject *s); /* has each of its elements been given a place? */
void ssbf_choose_order(PySetObject *s);           /* give one to those that have none; only while a path is active */
void ssbf_choose_pop(PySetObject *s);             /* before its pop: which element comes next */

void ssbf_walk_in_order(PyObject *iterator); /* a new one */
int ssbf_chooses_order(const ssb_thread *t); /* is that what it does, with nothing else held in C? */
int ssbf_walks_in_order(const PyObject *iterator);
int ssbf_is_walk(Py_ssize_t position); /* in a chosen order */
/* The slot of the next element and the position behind it; position 0 begins. -1: there is none. */
int ssbf_next_in_order(PySetObject *s, Py_ssize_t *position);

void ssbf_order_tokens(const PySetObject *s);
void ssbf_walk_tokens(const PyObject *iterator);

/* ---- orders_end.c ---- */

int ssbf_watch_ends_of_orders(void); /* -1: not all of them can be */
int ssbf_order_call_goes_on(PyCFunction function); /* as ssbf_look_calls_on */

#endif
#endif
