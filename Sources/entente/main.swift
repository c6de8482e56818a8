import ArgumentParser
print("skeleton")
