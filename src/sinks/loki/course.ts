/** Where the records of a file go: with others of the same labels, to streams of the file alone, or to the one with no label but the service. */
export type StreamChoice = "shared" | "own" | "service";

/** What was decided about the stream of a file's records, as it is journaled. */
export interface Course {
  readonly choice: StreamChoice;
  /** Over how many streams they are spread. */
  readonly parts: number;
  readonly text: string;
}

/** There are few different ones, each of them one object. */
const courses = new Map<string, Course>();

/** The course of a choice and so many parts. */
export function courseOf(choice: StreamChoice, parts: number): Course {
  return parseCourse(parts === 1 ? choice : `${choice} ${parts}`);
}

/** A course from its text: `shared`, `own 16`. */
export function parseCourse(text: string): Course {
  const known = courses.get(text);
  if (known !== undefined) return known;
  const [choice = "", parts = "1"] = text.split(" ");
  const course = {
    choice: choice === "own" || choice === "service" ? choice : "shared",
    parts: Math.max(1, Math.trunc(Number(parts)) || 1),
    text,
  } as const;
  courses.set(text, course);
  return course;
}
