"""Shared wording: parts that any template may name as `<part>`; `~` alternatives are kept for held-out phrasings."""

from __future__ import annotations

PARTS: dict[str, str] = {
    "find": "[Find|Compute|Calculate|Determine|Give|~Work out|What is|Evaluate|Please find|Can you find|Tell me]",
    "what": "[What is|What's|Find|Calculate|Determine|Compute|~Can you tell me|Give|I need]",
    "solve": "[Solve|Solve for {x}:|Find {x}:|Solve the equation|Find all solutions of|What are the solutions of"
    "|~Determine {x} from|Find every {x} with|Find the value of {x}:]",
    "end": "[.||?|]",
    "let": "[Let|Suppose|Suppose that|Given|If|~Assume that]",
    "has": "[has|had|owns|started with|~possesses|brought|collected]",
    "now": "[now|in all|in total|altogether|~at the end]",
    "total": "[in total|altogether|in all|~all told|combined]",
    "howmany": "[How many|Calculate how many|Find how many|~Work out how many]",
    "left": "[left|remaining|still|~left over]",
    "gives": "[gives|gave|hands|handed|sends|donates|~passes]",
    "buys": "[buys|bought|purchases|gets|picks up|~orders]",
    "each": "[each|every|per]",
    "costs": "[costs|is priced at|sells for|is sold at|~goes for]",
    "shop": "[store|shop|market|supermarket|mall|bakery|fair|~bazaar]",
    "place": "[at the <shop>|at school|in the park|at home|on a farm|in the garden|in the kitchen|~at the pier"
    "|at a club|]",
    "day": "[on Monday|on Tuesday|yesterday|today|last week|in the morning|this week|on Saturday|in May|last year|]",
    "later": "[later|then|after that|afterwards|the next day|~soon after|in the evening|next week|]",
    "vessel": "[boxes|bags|baskets|packs|jars|crates|shelves|trays|~bins|rows|groups|cartons|drawers|piles|buckets]",
    "money": "[dollars|euros|coins|~pesos|pounds]",
    "expr": "[the expression|]",
    "worker": "[worker|teacher|clerk|baker|farmer|driver|gardener|~tailor|painter|coach|mechanic]",
    "vehicle": "[car|train|bus|truck|cyclist|boat|plane|~tram|motorbike|ship|van]",
    "group": "[students|children|people|friends|players|workers|guests|~tourists|members|kids|neighbors|cousins]",
    "liquid": "[water|juice|milk|paint|oil|~syrup|lemonade|soup|tea]",
}
