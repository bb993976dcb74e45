"""The seed prompt of the tour's tickets, and the texts by hand that are pooled to beat it."""

from __future__ import annotations

HEAD = (
    "Classify the support ticket. Answer with one label and nothing else: one of billing, bug,"
    " how_to, account, shipping, feedback."
)
MEANINGS = """Labels:
- billing: money: charged, payment, refund, invoice, receipt, price, discount, renewal, tax
- bug: something does not work: error, crash, freeze, broken, wrong, stopped, empty, lost, update
- how_to: how do I, where do I find, can I, is it possible, is there a way, setting, export
- account: sign in, login, password, code, two-factor, locked out, profile, email address, delete
- shipping: parcel, delivery, courier, tracking, arrived, damaged box, address, customs, warehouse
- feedback: thank, love, great, suggestion, idea, wish, would be nice, please add, disappointed"""
BY_HAND = (f"{HEAD}\n\n{MEANINGS}", f"{HEAD} Be careful.")
