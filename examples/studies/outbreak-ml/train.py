"""Multinomial logistic regression of the infection on the logarithms of daily counts, in plain numpy.

It knows nothing of modelworks: it reads a file and writes files, as it would by hand.
"""

import json
import sys

import numpy as np
import pandas as pd

PENALTY = 1e-3
STEPS = 600
WINDOWS = (1, 2, 3, 5, 7, 10, 14, 21, 28)


def features(table, days):
    """Counts of the first days on a scale where twice as many is one step."""
    return np.log2(1 + table[[f"day_{day + 1}" for day in range(days)]].to_numpy(dtype=float))


def softmax(scores):
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def train(inputs, classes):
    """Weights that maximise the penalised likelihood, by Nesterov's gradient descent; shape (feature + 1, class)."""
    inputs = np.column_stack([np.ones(len(inputs)), inputs])
    wanted = np.eye(classes.max() + 1)[classes]
    # The gradient changes at most by this much over a unit step, so its inverse is a step that never overshoots.
    steepest = 0.5 * np.linalg.norm(inputs, 2) ** 2 / len(inputs) + PENALTY
    weights = ahead = np.zeros((inputs.shape[1], wanted.shape[1]))
    for k in range(STEPS):
        slope = inputs.T @ (softmax(inputs @ ahead) - wanted) / len(inputs) + PENALTY * ahead
        after = ahead - slope / steepest
        weights, ahead = after, after + k / (k + 3) * (after - weights)
    return weights


def predict(inputs, weights):
    return (np.column_stack([np.ones(len(inputs)), inputs]) @ weights).argmax(axis=1)


def interval(right, z=1.96):
    """The 95% interval of a share, in percent (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    share, more = right.mean(), z**2 / len(right)
    half = z * np.sqrt(share * (1 - share) / len(right) + more / (4 * len(right)))
    return {"low": 100 * (share + more / 2 - half) / (1 + more), "high": 100 * (share + more / 2 + half) / (1 + more)}


def measured(right, title):
    return {"title": title, "unit": "percent", "value": 100 * right.mean(), **interval(right)}


def main():
    table = pd.read_csv("outbreaks.csv")
    names, classes = np.unique(table["infection"], return_inverse=True)
    learn, test = (table["part"] == "train").to_numpy(), (table["part"] == "test").to_numpy()
    right = {}
    for days in WINDOWS:
        inputs = features(table, days)
        weights = train(inputs[learn], classes[learn])
        guessed = predict(inputs[test], weights)
        right[days] = guessed == classes[test]
        sys.stdout.write(f"{days} days: {right[days].mean():.1%} of {test.sum()} recognised\n")

    counts = pd.crosstab(names[classes[test]], names[guessed]).stack()
    counts.rename_axis(["actual", "predicted"]).rename("count").reset_index().to_csv("confusion.csv", index=False)
    rows = ["intercept", *(f"day_{day + 1}" for day in range(WINDOWS[-1]))]
    pd.DataFrame(weights, columns=names).assign(feature=rows)[["feature", *names]].to_csv("weights.csv", index=False)
    metrics = {
        "recognised": measured(right[28], "Outbreaks recognised after four weeks"),
        "recognised_in_a_week": measured(right[7], "Outbreaks recognised after one week"),
        "tested": {"title": "Outbreaks it was tested on", "unit": "outbreaks", "value": int(test.sum())},
    }
    with open("metrics.json", "w", encoding="utf-8") as file:
        json.dump(metrics, file, indent=2)
    with open("learning.vl.json", "w", encoding="utf-8") as file:
        json.dump(learning(right), file)


def learning(right):
    """How the share recognised grows with the days seen, as a Vega-Lite figure."""
    points = [{"days": days, "recognised": 100 * each.mean(), **interval(each)} for days, each in right.items()]
    x = {"field": "days", "type": "quantitative", "title": "days of counts seen"}
    y = {"type": "quantitative", "title": "outbreaks recognised (percent)", "scale": {"domain": [0, 100]}}
    band = {
        "mark": {"type": "area", "opacity": 0.2},
        "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
    }
    line = {"mark": {"type": "line", "point": True}, "encoding": {"x": x, "y": {**y, "field": "recognised"}}}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": "After how many days one can tell",
        "description": "Share of outbreaks recognised that were not learnt from, with its 95% interval.",
        "width": "container",
        "height": 260,
        "data": {"values": points},
        "layer": [band, line],
    }


if __name__ == "__main__":
    main()
