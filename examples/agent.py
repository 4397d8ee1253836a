import openai

import switchgear as sg

sg.configure()  # collector and policies on this machine; SWITCHGEAR_* variables name others

client = sg.wrap(openai.OpenAI())  # the same client, guarded
question = [{"role": "user", "content": "How did sales go in Q3?"}]
with sg.task("summarize-sales", tenant="acme", tier="interactive", budget="0.50 USD"):
    try:
        print(client.chat.completions.create(model="gpt-4o", messages=question).choices[0].message.content)
    except sg.BudgetExceeded as denied:
        print("stopped:", denied.reason)
