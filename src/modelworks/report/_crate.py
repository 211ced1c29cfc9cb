"""A run as a research object: a Workflow Run RO-Crate, which archives and other people's programs read.

The profile is https://w3id.org/ro/wfrun/workflow/0.5. The run's files go in as they are, with what made what, by
whom, from which data under which licence, and by which program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelworks.errors import fail
from modelworks.runs import rows_of

if TYPE_CHECKING:
    from rocrate.model.entity import Entity
    from rocrate.rocrate import ROCrate

    from modelworks.runs import Run

# The edition of the specification that the profiles are written for.
EDITION = "1.1"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
LICENCES = {
    "CC BY 4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC BY 3.0 IGO": "https://creativecommons.org/licenses/by/3.0/igo/",
    "CC0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "Apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
}
MEDIA = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".nc": "application/netcdf",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".py": "text/x-python",
    ".R": "text/x-r",
    ".ipynb": "application/x-ipynb+json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
}


def export_crate(run: Run, target: Path, *, licence: str = "", without_data: bool = False) -> Path:
    """Write a run as a research object into a new folder, or a `.zip`.

    Parameters
    ----------
    licence : str
        Under which the results are handed on; said to be unstated where it is empty.
    without_data : bool
        Leave the raw and prepared data out; they stay named, with licence and checksum.

    Raises
    ------
    ModelworksError
        G205 when something is at the target already, G206 when the package that writes it is not installed.
    """
    if target.exists():
        fail("G205", f"there is something at {target} already", hint="name a file or folder that does not exist yet")
    try:
        from rocrate.rocrate import ROCrate
    except ImportError:
        fail("G206", "the package `rocrate` is not installed", hint="pip install modelworks[archive]")
    made = _Crate(ROCrate(version=EDITION), run, licence)
    made.fill(without_data=without_data)
    (made.crate.write_zip if target.suffix == ".zip" else made.crate.write)(target)
    return target


class _Crate:
    """A research object under way."""

    def __init__(self, crate: ROCrate, run: Run, licence: str) -> None:
        self.crate, self.run, self.record = crate, run, run.record
        self.licence = licence

    def fill(self, *, without_data: bool) -> None:
        self._root()
        data = {row["sha256"]: row for row in self._rows("data")}
        inputs: list[Entity] = []
        results: list[Entity] = []
        study = str(self.record.get("study") or self.run.study)
        workflow: Entity | None = None
        for path in sorted(each for each in self.run.path.rglob("*") if each.is_file()):
            name = path.relative_to(self.run.path).as_posix()
            if without_data and name.startswith(("inputs/data/raw/", "inputs/data/prepared/")):
                continue
            if name.endswith(f"{study}/study.yaml"):
                workflow = self._workflow(path, name)
                continue
            entity = self.crate.add_file(path, name, properties=_properties(path), record_size=True)
            (inputs if name.startswith("inputs/") else results).append(entity)
        inputs += [self._dataset(row) for row in data.values()]
        instrument = workflow or self._program()
        self._action(instrument, inputs, results)

    def _root(self) -> None:
        root, record = self.crate.root_dataset, self.record
        self.crate.name = str(record.get("title") or self.run.study)
        self.crate.description = " ".join(
            str(text) for text in (record.get("question"), record.get("answer"), *record.get("sentences", ())) if text
        )
        root["datePublished"] = record.get("published") or record.get("finished")
        root["identifier"] = self.run.key
        root["creditText"] = str(record.get("citation") or self.crate.name)
        root["license"] = self._licence(self.licence)
        root["conformsTo"] = [
            self._context(address, "CreativeWork", name=name, version=address.rpartition("/")[2])
            for address, name in PROFILES.items()
        ]
        person = self._person()
        if person is not None:
            root["author"] = person

    def _workflow(self, path: Path, name: str) -> Entity:
        """The study is what is run: its file names the model, the data, the stages and the questions."""
        from rocrate.model import ComputationalWorkflow

        kinds = ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
        properties = {**_properties(path), "@type": kinds}
        workflow = self.crate.add(ComputationalWorkflow(self.crate, path, name, properties=properties))
        self.crate.mainEntity = workflow
        workflow["name"] = f"the study {self.record.get('study') or self.run.study}"
        workflow["programmingLanguage"] = self._context(
            "#modelworks-study",
            "ComputerLanguage",
            name="study of modelworks",
            description="A YAML file that names a model, its data, how it is calibrated and what is asked of it.",
        )
        return workflow

    def _action(self, instrument: Entity, inputs: list[Entity], results: list[Entity]) -> None:
        record = self.record
        action = self._context(
            f"#run-{self.run.id}",
            "CreateAction",
            name=f"run {self.run.id}",
            description=f"modelworks run {record.get('study') or self.run.study}",
            endTime=record.get("finished"),
            actionStatus="http://schema.org/CompletedActionStatus",
        )
        action["instrument"], action["object"], action["result"] = instrument, inputs, results
        person = self._person()
        if person is not None:
            action["agent"] = person
        program = self._program()
        if instrument is not program:
            instrument["softwareRequirements"] = [program, *self._other_programs()]
        self.crate.root_dataset["mentions"] = action

    def _program(self) -> Entity:
        known = (self.record.get("provenance") or {}).get("modelworks") or {}
        packages = (self.record.get("provenance") or {}).get("packages") or {}
        version = str(known.get("version") or packages.get("modelworks") or "unknown")
        return self._context("#modelworks", "SoftwareApplication", name="modelworks", version=version)

    def _other_programs(self) -> Iterator[Entity]:
        """What the team's own stages were run by."""
        for programs in (self.record.get("programs") or {}).values():
            for name, said in programs.items():
                yield self._context(
                    f"#program-{_letters(name)}", "SoftwareApplication", name=name, version=said["version"]
                )

    def _person(self) -> Entity | None:
        name = (self.record.get("provenance") or {}).get("person")
        return self._context("#person", "Person", name=name) if name else None

    def _dataset(self, row: Mapping[str, str]) -> Entity:
        """A dataset of the catalogue: whose it is and under which licence, whether its file is here or not."""
        return self._context(
            f"#data-{row['name']}",
            "CreativeWork",
            name=row["title"],
            publisher=row["publisher"],
            creditText=row["source"],
            identifier=f"sha256:{row['sha256']}",
            license=self._licence(row["licence"]),
        )

    def _licence(self, said: str) -> Entity:
        known = next((address for name, address in LICENCES.items() if said.startswith(name)), None)
        if known is not None:
            return self._context(known, "CreativeWork", name=said.partition(" (")[0], description=said)
        name = said or "no licence is stated: ask before it is handed on"
        return self._context(f"#licence-{_letters(name)}", "CreativeWork", name=name, description=name)

    def _context(self, address: str, kind: str, /, **properties: Any) -> Entity:
        from rocrate.model.contextentity import ContextEntity

        there = self.crate.dereference(address)
        if there is not None:
            return there
        known = {name: value for name, value in properties.items() if value not in (None, "")}
        entities = {name: known.pop(name) for name in list(known) if hasattr(known[name], "id")}
        made = self.crate.add(ContextEntity(self.crate, address, properties={"@type": kind, **known}))
        for name, value in entities.items():
            made[name] = value
        return made

    def _rows(self, table: str) -> list[dict[str, str]]:
        return rows_of(self.run.file(f"tables/{table}.csv"))


def _properties(path: Path) -> dict[str, Any]:
    return {"name": path.name, "encodingFormat": MEDIA.get(path.suffix, "application/octet-stream")}


def _letters(text: str) -> str:
    """A text as part of an identifier."""
    return "".join(letter if letter.isalnum() else "-" for letter in text.lower())[:60]
