"""What the service says of itself: the list of its tables, and each column's type, as CSDL in XML and in JSON.

Source: OData Common Schema Definition Language XML and JSON Representation, Version 4.01 (OASIS Standard, 2020).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree

from modelworks.website.feeds._schema import TABLES, Column, Kind, Table

NAMESPACE = "modelworks"
CONTAINER = "feeds"
EDM: Mapping[Kind, str] = {
    "text": "Edm.String", "number": "Edm.Double", "integer": "Edm.Int64", "boolean": "Edm.Boolean",
    "moment": "Edm.DateTimeOffset", "day": "Edm.Date",
}  # fmt: skip
# A time is told to the microsecond.
PRECISION = "6"
_EDMX = "http://docs.oasis-open.org/odata/ns/edmx"
_EDM = "http://docs.oasis-open.org/odata/ns/edm"
_VOCABULARIES = {
    "Org.OData.Core.V1": ("Core", "https://oasis-tcs.github.io/odata-vocabularies/vocabularies/Org.OData.Core.V1.xml"),
    "Org.OData.Measures.V1": (
        "Measures", "https://oasis-tcs.github.io/odata-vocabularies/vocabularies/Org.OData.Measures.V1.xml",
    ),
}  # fmt: skip


def service_document(root: str) -> dict[str, Any]:
    """The tables there are."""
    sets = [{"name": name, "kind": "EntitySet", "url": name} for name in TABLES]
    return {"@odata.context": f"{root}/$metadata", "value": sets}


def csdl_xml() -> bytes:
    """The tables and their columns, in the form that every client reads."""
    document = ElementTree.Element(f"{{{_EDMX}}}Edmx", Version="4.0")
    for namespace, (alias, address) in _VOCABULARIES.items():
        reference = ElementTree.SubElement(document, f"{{{_EDMX}}}Reference", Uri=address)
        ElementTree.SubElement(reference, f"{{{_EDMX}}}Include", Namespace=namespace, Alias=alias)
    services = ElementTree.SubElement(document, f"{{{_EDMX}}}DataServices")
    schema = ElementTree.SubElement(services, f"{{{_EDM}}}Schema", Namespace=NAMESPACE)
    for table in TABLES.values():
        _entity_type(schema, table)
    container = ElementTree.SubElement(schema, f"{{{_EDM}}}EntityContainer", Name=CONTAINER)
    for name in TABLES:
        ElementTree.SubElement(container, f"{{{_EDM}}}EntitySet", Name=name, EntityType=f"{NAMESPACE}.{name}_row")
    ElementTree.register_namespace("edmx", _EDMX)
    ElementTree.register_namespace("", _EDM)
    ElementTree.indent(document)
    text: bytes = ElementTree.tostring(document, encoding="utf-8", xml_declaration=True)
    return text


def _entity_type(schema: ElementTree.Element, table: Table) -> None:
    entity = ElementTree.SubElement(schema, f"{{{_EDM}}}EntityType", Name=f"{table.name}_row")
    key = ElementTree.SubElement(entity, f"{{{_EDM}}}Key")
    for name in table.key:
        ElementTree.SubElement(key, f"{{{_EDM}}}PropertyRef", Name=name)
    for each in table.columns:
        told = {"Name": each.name, "Type": EDM[each.kind], "Nullable": "false" if each.name in table.key else "true"}
        if each.kind == "moment":
            told["Precision"] = PRECISION
        column = ElementTree.SubElement(entity, f"{{{_EDM}}}Property", told)
        for term, text in _notes(each):
            ElementTree.SubElement(column, f"{{{_EDM}}}Annotation", Term=term, String=text)


def _notes(column: Column) -> Iterable[tuple[str, str]]:
    yield "Core.Description", column.meaning
    if column.unit:
        yield "Measures.Unit", column.unit


def csdl_json() -> dict[str, Any]:
    """The same in JSON."""
    types: dict[str, Any] = {f"{table.name}_row": _type_in_json(table) for table in TABLES.values()}
    sets = {name: {"$Collection": True, "$Type": f"{NAMESPACE}.{name}_row"} for name in TABLES}
    return {
        "$Version": "4.01",
        "$EntityContainer": f"{NAMESPACE}.{CONTAINER}",
        "$Reference": {
            address.removesuffix(".xml") + ".json": {"$Include": [{"$Namespace": namespace, "$Alias": alias}]}
            for namespace, (alias, address) in _VOCABULARIES.items()
        },
        NAMESPACE: {**types, CONTAINER: {"$Kind": "EntityContainer", **sets}},
    }


def _type_in_json(table: Table) -> dict[str, Any]:
    told: dict[str, Any] = {"$Kind": "EntityType", "$Key": list(table.key)}
    for each in table.columns:
        # Text is what a property is where nothing else is said.
        said: dict[str, Any] = {} if each.kind == "text" else {"$Type": EDM[each.kind]}
        if each.kind == "moment":
            said["$Precision"] = int(PRECISION)
        if each.name not in table.key:
            said["$Nullable"] = True
        told[each.name] = said | {f"@{term}": text for term, text in _notes(each)}
    return told
